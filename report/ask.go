package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/query"
)

// Port answers requests to the HTTP port of a haproxy-zk, as [query.Client] does.
type Port interface {
	Get(ctx context.Context, path string) (query.Answer, error)
}

// Name is PROXY, PROXY/GROUP, PROXY/GROUP/INSTANCE, or nothing.
type Name struct{ Proxy, Group, Instance string }

// ParseName parses a name. A slash before it is ignored, and an instance may contain some.
func ParseName(text string) Name {
	var n Name
	n.Proxy, text, _ = strings.Cut(strings.TrimPrefix(text, "/"), "/")
	n.Group, n.Instance, _ = strings.Cut(text, "/")
	return n
}

// Path returns the path of the proxy or group in the HTTP API.
func (n Name) Path() string {
	path := "/" + url.PathEscape(n.Proxy)
	if n.Group != "" {
		path += "/" + url.PathEscape(n.Group)
	}
	return path
}

func (n Name) String() string {
	parts := slices.DeleteFunc([]string{n.Group, n.Instance}, func(part string) bool { return part == "" })
	return strings.Join(append([]string{n.Proxy}, parts...), "/")
}

// UnknownError means that a proxy or a group does not exist.
type UnknownError struct{ text string }

func (e *UnknownError) Error() string { return e.text }

// ask requests a path and parses the JSON of the answer.
func ask[T any](ctx context.Context, port Port, path string) (document T, header http.Header, err error) {
	answer, err := port.Get(ctx, path)
	if err != nil {
		return document, nil, err
	}
	// /readyz has the same body whether it is 200 or 503.
	if err := answer.Refusal(); err != nil && path != "/readyz" {
		return document, nil, fmt.Errorf("%s is %w", path, err)
	}
	document, err = parse[T](answer, path)
	return document, answer.Header, err
}

// parse parses the JSON of an answer; what says which it is.
func parse[T any](answer query.Answer, what string) (document T, err error) {
	if err := json.Unmarshal(answer.Body, &document); err != nil {
		return document, fmt.Errorf("the answer to %s is not what this version of haproxy-zk understands: %w", what, err)
	}
	return document, nil
}

// listed are the instances in service, by proxy and group.
type listed map[string]map[string]struct{ Instances []string }

// find returns what is listed of a name, which must exist.
func find(ctx context.Context, port Port, n Name) (listed, http.Header, error) {
	all, header, err := ask[listed](ctx, port, "/")
	if err != nil || n.Proxy == "" {
		return all, header, err
	}
	groups, known := all[n.Proxy]
	if !known {
		return nil, nil, unknown("proxy", n.Proxy, slices.Sorted(maps.Keys(all)), "")
	}
	if n.Group != "" {
		if _, known := groups[n.Group]; !known {
			return nil, nil, unknown("group", n.Group, slices.Sorted(maps.Keys(groups)), " in proxy "+n.Proxy)
		}
	}
	return all, header, nil
}

// orUnknownName returns the [UnknownError] that explains err, or err.
func orUnknownName(ctx context.Context, port Port, n Name, err error) error {
	if _, _, found := find(ctx, port, n); errors.As(found, new(*UnknownError)) {
		return found
	}
	return err
}

// fewNames is how many names an error lists.
const fewNames = 10

func unknown(kind, name string, known []string, in string) error {
	text := fmt.Sprintf("there is no %s %.100q%s", kind, name, in)
	near, found := config.Nearest(name, lowered(known))
	switch {
	case found:
		text += fmt.Sprintf(": did you mean %s?", known[slices.Index(lowered(known), near)])
	case len(known) == 0:
		text += ": there is none"
	case len(known) > fewNames:
		text += fmt.Sprintf(": it is none of %s and %d more", strings.Join(known[:fewNames], ", "), len(known)-fewNames)
	default:
		text += ": it is none of " + strings.Join(known, ", ")
	}
	return &UnknownError{text}
}

func lowered(names []string) []string {
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.ToLower(name)
	}
	return lower
}

// ready is an answer to /readyz.
type ready struct {
	Ready         bool
	Stopping      bool
	Node, Zone    string
	Configuration query.Rejected
	Proxies       map[string]query.Condition
}
