package stats

import (
	"slices"
	"strconv"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// family is a metric of frontends, groups or instances: its name and help, and what a
// series of it has.
type family struct {
	name, help string
	counter    bool
	series     []series
}

// base returns the name that OpenMetrics gives a counter.
func (f *family) base() string { return strings.TrimSuffix(f.name, "_total") }

// clashes reports whether OpenMetrics would give the family, a counter, the name of a
// gauge, which it forbids: sessions and sessions_total.
func (f *family) clashes(families []family) bool {
	return f.counter && slices.ContainsFunc(families, func(g family) bool { return g.name == f.base() })
}

// series is a value of a family; append appends it to text, or returns nil if there is
// none.
type series struct {
	// label is one more label, with a comma before it; empty if there is none.
	label  string
	append func(text []byte, of *Instance) []byte
}

// gauge returns a family that instances which have left do not have.
func gauge(name, help string, value func(*Instance) uint64) family {
	return family{name: name, help: help, series: []series{{append: func(text []byte, of *Instance) []byte {
		if of.Gone {
			return nil
		}
		return strconv.AppendUint(text, value(of), 10)
	}}}}
}

func counter(name, help string, which haproxy.Counter) family {
	return family{name: name, help: help, counter: true, series: []series{{append: func(text []byte, of *Instance) []byte {
		return strconv.AppendUint(text, of.Counters[which], 10)
	}}}}
}

// responses returns a counter of HTTP responses by status.
func responses(name, help string) family {
	all := family{name: name, help: help, counter: true}
	for i, code := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
		which := haproxy.Responses1xx + haproxy.Counter(i)
		all.series = append(all.series, series{`,code="` + code + `"`, func(text []byte, of *Instance) []byte {
			if !of.HTTP {
				return nil
			}
			return strconv.AppendUint(text, of.Counters[which], 10)
		}})
	}
	return all
}

// responseTime returns a gauge of the response time, which only HTTP has.
func responseTime(name, help string) family {
	return family{name: name, help: help, series: []series{{append: func(text []byte, of *Instance) []byte {
		if of.Gone || !of.HTTP {
			return nil
		}
		return strconv.AppendFloat(text, of.ResponseTime.Seconds(), 'f', -1, 64)
	}}}}
}

func sessions(of *Instance) uint64 { return of.Sessions }
func queued(of *Instance) uint64   { return of.Queued }
func limit(of *Instance) uint64    { return of.Limit }
func weight(of *Instance) uint64   { return of.Weight }

func up(of *Instance) uint64 {
	if of.Up {
		return 1
	}
	return 0
}

func instanceFamilies() []family {
	return []family{
		gauge("haproxyzk_instance_up", "Whether an instance is up in every HAProxy worker: 1, or 0 if a health check, an operator or its departure takes it out of service in any of them.", up),
		gauge("haproxyzk_instance_weight", "Weight of an instance now, the smallest in any worker.", weight),
		gauge("haproxyzk_instance_sessions", "Sessions that run on an instance now.", sessions),
		gauge("haproxyzk_instance_queue", "Sessions that wait for an instance now.", queued),
		responseTime("haproxyzk_instance_response_time_seconds", "Average time until an instance responds, of the last 1024 requests of each worker."),
		counter("haproxyzk_instance_sessions_total", "Sessions that an instance got; with HTTP, requests.", haproxy.TotalSessions),
		responses("haproxyzk_instance_http_responses_total", "HTTP responses of an instance by status."),
		counter("haproxyzk_instance_bytes_in_total", "Bytes sent to an instance.", haproxy.BytesIn),
		counter("haproxyzk_instance_bytes_out_total", "Bytes received from an instance.", haproxy.BytesOut),
		counter("haproxyzk_instance_connection_errors_total", "Failed connections to an instance.", haproxy.ConnectionErrors),
		counter("haproxyzk_instance_response_errors_total", "Responses of an instance that were invalid or cut off.", haproxy.ResponseErrors),
		counter("haproxyzk_instance_retries_total", "Connections to an instance that were tried again.", haproxy.Retries),
		counter("haproxyzk_instance_redispatches_total", "Requests that were sent to another instance because this one was unreachable.", haproxy.Redispatches),
		counter("haproxyzk_instance_check_failures_total", "Failed health checks of an instance, by all workers.", haproxy.CheckFailures),
	}
}

func groupFamilies() []family {
	return []family{
		gauge("haproxyzk_group_sessions", "Sessions of a group that run now.", sessions),
		gauge("haproxyzk_group_session_limit", "Sessions at which the instances of a group get the most that their limits allow (fullconn).", limit),
		gauge("haproxyzk_group_queue", "Sessions of a group that wait for an instance now.", queued),
		responseTime("haproxyzk_group_response_time_seconds", "Average time until the instances of a group respond, of the last 1024 requests of each worker."),
		counter("haproxyzk_group_sessions_total", "Sessions that a group got.", haproxy.TotalSessions),
		counter("haproxyzk_group_requests_total", "HTTP requests that a group got.", haproxy.TotalRequests),
		responses("haproxyzk_group_http_responses_total", "HTTP responses of a group by status, those of HAProxy itself included."),
		counter("haproxyzk_group_bytes_in_total", "Bytes received from clients of a group.", haproxy.BytesIn),
		counter("haproxyzk_group_bytes_out_total", "Bytes sent to clients of a group.", haproxy.BytesOut),
		counter("haproxyzk_group_denied_requests_total", "Requests that the rules of a group's backend denied.", haproxy.DeniedRequests),
		counter("haproxyzk_group_denied_responses_total", "Responses that the rules of a group's backend denied.", haproxy.DeniedResponses),
		counter("haproxyzk_group_connection_errors_total", "Requests of a group for which no connection to an instance was possible.", haproxy.ConnectionErrors),
		counter("haproxyzk_group_response_errors_total", "Responses of a group's instances that were invalid or cut off.", haproxy.ResponseErrors),
		counter("haproxyzk_group_retries_total", "Connections to a group's instances that were tried again.", haproxy.Retries),
		counter("haproxyzk_group_redispatches_total", "Requests of a group that were sent to another instance because the first one was unreachable.", haproxy.Redispatches),
	}
}

func frontendFamilies() []family {
	return []family{
		gauge("haproxyzk_frontend_sessions", "Sessions of a frontend that run now.", sessions),
		gauge("haproxyzk_frontend_session_limit", "Sessions that a frontend accepts at a time (maxconn); more clients wait.", limit),
		counter("haproxyzk_frontend_sessions_total", "Sessions that a frontend accepted.", haproxy.TotalSessions),
		counter("haproxyzk_frontend_requests_total", "HTTP requests that a frontend received.", haproxy.TotalRequests),
		responses("haproxyzk_frontend_http_responses_total", "HTTP responses of a frontend by status, those of HAProxy itself included."),
		counter("haproxyzk_frontend_bytes_in_total", "Bytes received from clients of a frontend.", haproxy.BytesIn),
		counter("haproxyzk_frontend_bytes_out_total", "Bytes sent to clients of a frontend.", haproxy.BytesOut),
		counter("haproxyzk_frontend_denied_requests_total", "Requests that the rules of a frontend denied.", haproxy.DeniedRequests),
		counter("haproxyzk_frontend_denied_responses_total", "Responses that the rules of a frontend denied.", haproxy.DeniedResponses),
		counter("haproxyzk_frontend_request_errors_total", "Requests of a frontend that were invalid or cut off.", haproxy.RequestErrors),
	}
}
