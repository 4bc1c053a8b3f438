package query

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// parameter is a query parameter of a route.
type parameter struct {
	name, does string
	// detail is true for a parameter whose answers are at HTTP_DETAIL_ADDR only, if there
	// is one.
	detail bool
}

// arguments are the values of the parameters in a request, each given once.
type arguments map[string]string

// parse returns the arguments in the query of a request to the route; nil if there are
// none. problem says what is wrong with them.
func (rt *route) parse(query string) (a arguments, wrong *problem) {
	if query == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, rt.wrong("the query is malformed: %v", err)
	}
	a = make(arguments, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		if rt.parameter(name) == nil {
			return nil, rt.wrong("unknown parameter %s", echo(name))
		}
		if len(given) > 1 {
			return nil, rt.wrong("%s is given %d times: give it once", name, len(given))
		}
		a[name] = given[0]
	}
	return a, nil
}

// parameter returns the parameter of a name; nil if there is none.
func (rt *route) parameter(name string) *parameter {
	for i := range rt.parameters {
		if rt.parameters[i].name == name {
			return &rt.parameters[i]
		}
	}
	return nil
}

// detailed reports whether the answer to a request with these arguments is at
// HTTP_DETAIL_ADDR, if there is one.
func (rt *route) detailed(given arguments) bool {
	for name := range given {
		if rt.parameter(name).detail {
			return true
		}
	}
	return rt.detail
}

// wrong returns the body of an answer about wrong arguments, which lists the parameters
// that are allowed.
func (rt *route) wrong(format string, args ...any) *problem {
	p := &problem{Error: fmt.Sprintf(format, args...), Parameters: []string{}}
	for _, known := range rt.parameters {
		p.Parameters = append(p.Parameters, known.name)
	}
	return p
}
