package haproxy

import (
	"fmt"
	"regexp"
	"strings"
)

// Route is the part of a request that names its group; empty is none. All groups of one
// route are found with one lookup in a [Map], while HAProxy evaluates conditions one
// after the other for every request.
type Route string

// The routes; headerRoute is followed by the header's name, in lower case.
const (
	// RoutePath is the first element of the path: /web and /web/x are of the group web.
	RoutePath Route = "path"
	// RouteHost is the host without its port, or its first labels: web, web.example.com.
	RouteHost Route = "host"
	// RouteHostPath is the host and the first element of the path, of the group HOST_ELEMENT.
	RouteHostPath Route = "host+path"

	headerRoute = "header:"
)

// RoutePattern says what [ParseRoute] accepts.
const RoutePattern = `"path", "host", "host+path" or "header:NAME"`

var headerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ParseRoute parses a route. The names of headers are not case-sensitive.
func ParseRoute(text string) (Route, error) {
	switch r := Route(text); r {
	case RoutePath, RouteHost, RouteHostPath:
		return r, nil
	}
	if name, found := strings.CutPrefix(text, headerRoute); found && headerName.MatchString(name) {
		return Route(headerRoute + strings.ToLower(name)), nil
	}
	return "", fmt.Errorf("%.100q is not a route", text)
}

// pathVariable holds the path for the route host+path: HAProxy can append nothing but
// variables to a sample, and its fetch `base` contains the port of the Host header.
const pathVariable = "txn.haproxyzk_path"

// sample is the expression that HAProxy evaluates for each request. Its result begins
// with the key of the request's group, or for a header is the key.
func (r Route) sample() string {
	switch r {
	case RoutePath:
		return "path,lower,concat(/)"
	case RouteHost:
		return "req.hdr(host),lower,field(1,:),concat(.)"
	case RouteHostPath:
		return "req.hdr(host),field(1,:),concat(," + pathVariable + ",/),lower"
	}
	return "req.hdr(" + r.header() + ",-1),lower"
}

// lookup is the converter that looks a sample up in the map in a file. Among keys with
// which a sample begins the longest wins, whatever their order in the file.
func (r Route) lookup(file string) string {
	if r.header() != "" {
		return "map_str(" + file + ")"
	}
	return "map_beg(" + file + ")"
}

func (r Route) header() string {
	name, _ := strings.CutPrefix(string(r), headerRoute)
	if name == string(r) {
		return ""
	}
	return name
}

// key returns the key of a group. It ends with what ends the name in a sample, so that
// web does not get the requests of web-admin.
func (r Route) key(group string) string {
	name := strings.ToLower(group)
	switch r {
	case RoutePath:
		return "/" + name + "/"
	case RouteHost:
		return name + "."
	case RouteHostPath:
		return strings.Replace(name, "_", "/", 1) + "/"
	}
	return name
}

// Conditions returns the conditions that select the same requests for one group, any of
// which is enough: for rules of a template that use the ACL of the group. Those of the
// route host+path do not match hosts with a port.
func (r Route) Conditions(group string) []string {
	switch key := r.key(group); r {
	case "":
		return nil
	case RoutePath:
		return []string{"path -i /" + group, "path_beg -i /" + group + "/"}
	case RouteHost:
		return []string{"req.hdr(host),field(1,:),concat(.) -i -m beg -- " + key}
	case RouteHostPath:
		return []string{"base,concat(/) -i -m beg -- " + key}
	default:
		return []string{"req.hdr(" + r.header() + ",-1) -i -m str -- " + key}
	}
}

// rank orders the routes: those that a request matches by more of itself come first.
func (r Route) rank() int {
	switch r {
	case RouteHostPath:
		return 0
	case RouteHost:
		return 1
	case RoutePath:
		return 3
	}
	return 2
}
