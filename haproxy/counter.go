package haproxy

// Counter is a figure of `show stat` that only grows while a process lives.
type Counter uint8

// The counters of frontends, backends and servers; each has only some of them, the others
// stay 0.
const (
	TotalSessions Counter = iota
	TotalRequests
	BytesIn  // from clients
	BytesOut // to clients
	DeniedRequests
	DeniedResponses
	RequestErrors
	ConnectionErrors
	ResponseErrors
	Retries
	Redispatches
	CheckFailures
	Responses1xx
	Responses2xx
	Responses3xx
	Responses4xx
	Responses5xx
	ResponsesOther

	numCounters
)

// Counters has all counters of a frontend, backend or server.
type Counters [numCounters]uint64

// Add adds the counters of o.
func (c *Counters) Add(o Counters) {
	for i := range c {
		c[i] += o[i]
	}
}

// Since returns what was counted since earlier, a former reading of the same counters. If
// any counter has fallen, the process has begun to count anew, and that is all of c.
func (c Counters) Since(earlier Counters) Counters {
	grown := c
	for i := range grown {
		if grown[i] < earlier[i] {
			return c
		}
		grown[i] -= earlier[i]
	}
	return grown
}

// counterColumns returns the columns of the counters, in their order.
func counterColumns() [numCounters]string {
	return [numCounters]string{
		TotalSessions: "stot", TotalRequests: "req_tot",
		BytesIn: "bin", BytesOut: "bout",
		DeniedRequests: "dreq", DeniedResponses: "dresp", RequestErrors: "ereq", ConnectionErrors: "econ", ResponseErrors: "eresp",
		Retries: "wretr", Redispatches: "wredis", CheckFailures: "chkfail",
		Responses1xx: "hrsp_1xx", Responses2xx: "hrsp_2xx", Responses3xx: "hrsp_3xx", Responses4xx: "hrsp_4xx", Responses5xx: "hrsp_5xx", ResponsesOther: "hrsp_other",
	}
}
