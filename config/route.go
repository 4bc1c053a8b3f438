package config

import (
	"slices"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func route() form[haproxy.Route] {
	return form[haproxy.Route]{give: haproxy.RoutePattern, parse: haproxy.ParseRoute}
}

// checkRoute reports a route that the group's other keys contradict.
func (o *object) checkRoute(g Group) {
	v := o.get("route", "")
	switch {
	case g.Route == "":
	case g.Mode == "tcp":
		o.errorf(v.at, v.key, "a group of mode tcp has no requests: remove the key, or set mode to http")
	case !o.get("acls", "").missing():
		o.errorf(v.at, v.key, "%s selects the group already: remove one of the two", o.get("acls", "").key)
	}
}

// checkMapFiles reports a conf_file beside which HAProxy could not read maps.
func (o *object) checkMapFiles(p Proxy) {
	routed := func(g Group) bool { return g.Route != "" }
	if !slices.ContainsFunc(p.Groups, routed) && (p.Discover == nil || !routed(p.Discover.Entry)) {
		return
	}
	if err := haproxy.CheckMapsBeside(p.ConfFile); err != nil {
		v := o.get("conf_file", "")
		o.errorf(v.at, v.key, "%v", err)
	}
}
