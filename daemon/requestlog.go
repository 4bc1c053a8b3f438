package daemon

import (
	"github.com/haproxy-zk/haproxy-zk/accesslog"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// takeRequest adds a line of HAProxy's log to the access log if it is that of a request,
// and reports whether it is. proxy is empty if it is unknown.
func (o Options) takeRequest(proxy string, l supervisor.LogLine) bool {
	if !haproxy.IsRequest(l.Text, l.Severity) {
		return false
	}
	o.AccessLog.Add(accesslog.Line{Proxy: proxy, Date: l.Date, Process: l.Process, Text: l.Text})
	return true
}
