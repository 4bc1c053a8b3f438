package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// maxFilter bounds the text that groups are filtered by: a name has at most that.
	maxFilter = 200
	// maxOpen is how many groups can be unfolded; one more folds the first.
	maxOpen = 8
	maxPage = 1_000_000
)

// Asked is what somebody wants to see. The zero value is everything, the worst first.
type Asked struct {
	// Lang is English if it is empty.
	Lang   Lang
	Filter string
	// Trouble selects groups with a problem.
	Trouble bool
	// Sort is one of [sorts]; empty is the worst first.
	Sort string
	// Page is the number of the page, from 0.
	Page int
	// Open are the keys of the unfolded groups.
	Open []string

	Since time.Duration // of events; 0 is all
	Kind  registry.EventKind
	Of    string // the group of events
}

// sorts are the columns by which groups can be sorted.
func sorts() []string {
	return []string{"name", "registered", "up", "held", "waiting", "rate", "errors", "time", "queue"}
}

// spans are how far events can go back, in the words of the parameter.
func spans() []string { return []string{"15m", "1h", "6h", "24h"} }

// Parameters returns the names of the parameters that [Parse] takes, with what they do.
func Parameters() [][2]string {
	return [][2]string{
		{"lang", "language of the page: en or zh"},
		{"q", "groups whose name, or an instance of them whose address, contains this"},
		{"only", "trouble: groups that have a problem"},
		{"sort", "column by which groups are sorted: " + strings.Join(sorts(), ", ")},
		{"page", "number of the page of groups"},
		{"open", "keys of unfolded groups, separated by commas"},
		{"since", "how far events go back: " + strings.Join(spans(), ", ")},
		{"kind", "kind of events"},
		{"of", "group of events"},
	}
}

// Parse returns what the parameters of a request ask for. Its error is for the client.
func Parse(given map[string]string) (a Asked, err error) {
	wrong := func(name string) { err = fmt.Errorf("%s is none that the page knows", name) }
	for name, value := range given {
		if value == "" {
			continue // an empty field of a form
		}
		switch name {
		case "lang":
			if a.Lang = Lang(value); a.Lang != English && a.Lang != Chinese {
				wrong(name)
			}
		case "q":
			a.Filter = value[:min(len(value), maxFilter)]
		case "of":
			a.Of = value[:min(len(value), maxFilter)]
		case "only":
			if a.Trouble = value == "trouble"; !a.Trouble {
				wrong(name)
			}
		case "sort":
			if a.Sort = value; !slices.Contains(sorts(), value) {
				wrong(name)
			}
		case "page":
			n, failed := strconv.Atoi(value)
			if failed != nil || n < 1 || n > maxPage {
				wrong(name)
			}
			a.Page = n - 1
		case "open":
			a.Open = strings.SplitN(value, ",", maxOpen+1)
			a.Open = a.Open[:min(len(a.Open), maxOpen)]
		case "since":
			if !slices.Contains(spans(), value) {
				wrong(name)
			}
			a.Since, _ = time.ParseDuration(value) // it is one of the spans
		case "kind":
			if a.Kind = registry.EventKind(value); !a.Kind.Valid() {
				wrong(name)
			}
		}
	}
	return a, err
}

// url returns the address of the page for what is asked.
func (a Asked) url() string {
	v := make(url.Values)
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("lang", string(a.Lang))
	set("q", a.Filter)
	if a.Trouble {
		set("only", "trouble")
	}
	set("sort", a.Sort)
	if a.Page > 0 {
		set("page", strconv.Itoa(a.Page+1))
	}
	set("open", strings.Join(a.Open, ","))
	set("since", a.since())
	set("kind", string(a.Kind))
	set("of", a.Of)
	if len(v) == 0 {
		return Path
	}
	return Path + "?" + v.Encode()
}

// since returns the span in the words of the parameter; empty is all.
func (a Asked) since() string {
	for _, span := range spans() {
		if d, _ := time.ParseDuration(span); d == a.Since {
			return span
		}
	}
	return ""
}

// unfolds reports whether a group is unfolded.
func (a Asked) unfolds(key string) bool { return slices.Contains(a.Open, key) }

// toggled returns the same with a group unfolded, or folded if it is.
func (a Asked) toggled(key string) Asked {
	if a.unfolds(key) {
		a.Open = slices.DeleteFunc(slices.Clone(a.Open), func(open string) bool { return open == key })
		return a
	}
	a.Open = append(slices.Clone(a.Open), key)
	a.Open = a.Open[max(0, len(a.Open)-maxOpen):]
	return a
}

// key names a group in an address and as the row of a page. Names come from outside: no two
// of them have the same key, nor does it have any character that means something.
func (g *Group) key() string {
	sum := sha256.Sum256([]byte(g.Proxy + "\x00" + g.Name))
	return hex.EncodeToString(sum[:8])
}
