package stats

import (
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

const (
	// A mark is replaced once it is this old: while somebody asks every second, rates are
	// those of the last 5 to 10 s.
	markFor = 5 * time.Second
	// A rate over less is noise, and over more says nothing of now.
	minWindow, maxWindow = maxAge / 2, 2 * time.Minute
)

// Rates are per second, averages over [Reading.Window]; all 0 without a window.
type Rates struct {
	// Sessions are those that began. With HTTP, those of an instance are requests.
	Sessions float64
	// Requests are HTTP requests of a frontend or a group; 0 for an instance.
	Requests float64
	// Responses are HTTP responses, Responses5xx those with a status of 500 or more.
	Responses, Responses5xx float64
	// Failures are failed connections to instances, and responses that were invalid or cut
	// off.
	Failures          float64
	BytesIn, BytesOut float64
}

// Errors returns the rate of what an operator calls an error. HAProxy answers the failures
// of a group with a 5xx of its own; those of an instance are in no response.
func (r Rates) Errors(http, instance bool) float64 {
	switch {
	case !http:
		return r.Failures
	case instance:
		return r.Responses5xx + r.Failures
	}
	return r.Responses5xx
}

// Share5xx returns the share of the responses that are 5xx, from 0 to 1.
func (r Rates) Share5xx() float64 {
	if r.Responses == 0 {
		return 0
	}
	return r.Responses5xx / r.Responses
}

// tally is what rates are made of: counters, some of them added up.
type tally struct{ sessions, requests, responses, responses5xx, failures, bytesIn, bytesOut uint64 }

func tallyOf(c *haproxy.Counters) tally {
	t := tally{
		sessions: c[haproxy.TotalSessions], requests: c[haproxy.TotalRequests], responses5xx: c[haproxy.Responses5xx],
		failures: c[haproxy.ConnectionErrors] + c[haproxy.ResponseErrors],
		bytesIn:  c[haproxy.BytesIn], bytesOut: c[haproxy.BytesOut],
	}
	for i := haproxy.Responses1xx; i <= haproxy.ResponsesOther; i++ {
		t.responses += c[i]
	}
	return t
}

func (t *tally) add(o tally) {
	t.sessions += o.sessions
	t.requests += o.requests
	t.responses += o.responses
	t.responses5xx += o.responses5xx
	t.failures += o.failures
	t.bytesIn += o.bytesIn
	t.bytesOut += o.bytesOut
}

// since returns the rates since an earlier tally.
func (t tally) since(earlier tally, window time.Duration) Rates {
	per := func(now, then uint64) float64 { return float64(now-then) / window.Seconds() }
	return Rates{
		Sessions: per(t.sessions, earlier.sessions), Requests: per(t.requests, earlier.requests),
		Responses: per(t.responses, earlier.responses), Responses5xx: per(t.responses5xx, earlier.responses5xx),
		Failures: per(t.failures, earlier.failures),
		BytesIn:  per(t.bytesIn, earlier.bytesIn), BytesOut: per(t.bytesOut, earlier.bytesOut),
	}
}

// The marks of a ledger: rates are differences to one of them.
const (
	older = iota
	newer
	marks
)

// mark is a reading to which later ones are compared.
type mark struct {
	// began is before any worker was asked, asked when the last one was.
	began, asked time.Time
}

// uncounted makes the marks of a subject as if they had always had what was counted since
// a time before them: nobody knows how much of it is from then.
func (l *ledger) uncounted(t *total, grown *haproxy.Counters, since time.Time) {
	for i := range t.marks {
		if since.Before(l.marks[i].began) {
			t.marks[i].add(tallyOf(grown))
		}
	}
}

// window returns the mark to which the latest reading is compared, and how much later that
// is; 0 if there is none.
func (l *ledger) window() (which int, window time.Duration) {
	which = older
	if l.asked.Sub(l.marks[newer].asked) >= markFor {
		which = newer
	}
	window = l.asked.Sub(l.marks[which].asked)
	if l.marks[which].began.IsZero() || window < minWindow || window > maxWindow {
		return which, 0
	}
	return which, window
}

// mark makes the latest reading a mark when it is time for one.
func (l *ledger) mark() {
	since := l.asked.Sub(l.marks[newer].asked)
	if since < markFor {
		return
	}
	anew := l.marks[newer].began.IsZero() || since > maxWindow
	l.marks[older], l.marks[newer] = l.marks[newer], mark{l.latest, l.asked}
	if anew {
		l.marks[older] = l.marks[newer]
	}
	for _, t := range l.totals {
		t.marks[older], t.marks[newer] = t.marks[newer], tallyOf(&t.counters)
		if anew {
			t.marks[older] = t.marks[newer]
		}
	}
}
