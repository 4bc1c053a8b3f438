package query

import (
	"fmt"
	"net/http"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	maxEcho  = 64 // bytes of the requested name
	maxNames = 20 // names of existing proxies or groups
)

// problem is the body of an answer that is not a document.
type problem struct {
	Error string `json:"error"`
	// Proxies or Groups are the names that exist.
	Proxies []string `json:"proxies,omitzero"`
	Groups  []string `json:"groups,omitzero"`
	// Parameters are those that the path has.
	Parameters []string `json:"parameters,omitzero"`
	// More is the number of names omitted.
	More int `json:"more,omitzero"`
}

func notAllowed(method string) problem {
	return problem{Error: fmt.Sprintf("method %s is not allowed: use GET or HEAD", echo(method))}
}

func nothingAt(name string, e *edition) problem {
	return withProxies(fmt.Sprintf("nothing at %s", echo(name)), e)
}

// noPath is the answer to a path with more elements than any has.
func noPath(name, paths string, e *edition) problem {
	if registry.Reserved(name) {
		return nothingAt(name, e)
	}
	return withProxies("no such path: use "+paths, e)
}

func unauthorized() problem {
	return problem{Error: "a token is required: send the header \"Authorization: Bearer TOKEN\" with the content of haproxy-zk's HTTP_TOKEN_FILE, or give it to a browser as the password of any user"}
}

// elsewhere says where something is answered without saying at which address, which this
// client may not be meant to reach.
func elsewhere() problem {
	return problem{Error: "not at this address: haproxy-zk answers this at its HTTP_DETAIL_ADDR"}
}

func noProxy(name string, e *edition) problem {
	return withProxies(fmt.Sprintf("no proxy %s", echo(name)), e)
}

func noGroup(name string, s *registry.Snapshot) problem {
	p := problem{
		Error:  fmt.Sprintf("no group %s in proxy %s", echo(name), echo(s.Proxy)),
		Groups: []string{},
		More:   max(0, len(s.Groups)-maxNames),
	}
	for _, g := range s.Groups[:len(s.Groups)-p.More] {
		p.Groups = append(p.Groups, g.Name)
	}
	return p
}

func withProxies(message string, e *edition) problem {
	p := problem{
		Error:   message,
		Proxies: []string{},
		More:    max(0, len(e.documents)-maxNames),
	}
	for _, d := range e.documents[:len(e.documents)-p.More] {
		p.Proxies = append(p.Proxies, d.of.Proxy)
	}
	return p
}

// echo quotes and truncates a client's input.
func echo(s string) string {
	if len(s) > maxEcho {
		return fmt.Sprintf("%q…", s[:maxEcho])
	}
	return fmt.Sprintf("%q", s)
}

func refuse(w http.ResponseWriter, status int, p problem) {
	reply(w, status, typeJSON, append(appendJSON(nil, p), '\n'))
}
