package query

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// eventServer returns a server with the seed's proxies and a ring of events.
func eventServer() (*Server, *events.Ring) {
	ring := events.NewRing()
	proxies := seed()
	return New(Options{Proxies: func() []Proxy { return proxies }, Events: ring, Logger: slog.New(slog.DiscardHandler)}), ring
}

// eventAnswer is the answer of /events.
type eventAnswer struct {
	Events []struct {
		Seq                                          uint64
		Time                                         time.Time
		Kind, Proxy, Group, Instance, Reason, Detail string
	}
	Complete bool
	Last     uint64
}

func (a eventAnswer) numbers() []uint64 {
	numbers := []uint64{}
	for _, e := range a.Events {
		numbers = append(numbers, e.Seq)
	}
	return numbers
}

func eventsAt(t *testing.T, s *Server, target string) (a eventAnswer) {
	t.Helper()
	w := get(s, target)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != typeJSON {
		t.Fatalf("%s: %d %s %s", target, w.Code, w.Header(), w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%s: %v in %s", target, err, w.Body)
	}
	return a
}

func entered(proxy, group string, n int) registry.Event {
	return registry.Event{Kind: registry.EventServing, Proxy: proxy, Group: group, Instance: instance(fmt.Sprintf("10.0.0.%d:80", n)), Reason: "registered"}
}

// TestWhatChangedInTheLastHour has a morning of events.
func TestWhatChangedInTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ring := eventServer()
		if diff := cmp.Diff("{\"events\":[\n],\"complete\":true,\"last\":0}\n", get(s, "/events").Body.String()); diff != "" {
			t.Errorf("without events (-want +got):\n%s", diff)
		}
		begun := time.Now().UTC()
		for _, e := range []registry.Event{
			{Kind: registry.EventStart, Detail: "version 1"},
			entered("ngboss", "web-ngboss", 1),
			entered("ecbusi", "web-treasury", 2),
			{Kind: registry.EventReload, Proxy: "ngboss", Reason: "slots", Detail: "workers [1 2]"},
			{Kind: registry.EventHeld, Proxy: "removed", Group: "old"},
			{Kind: registry.EventConfigurationRejected, Detail: "line 1: \"<\" \u2028 is\nwrong"},
		} {
			ring.Append(e)
			<-time.After(time.Hour)
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(get(s, "/events").Body.String(), "{\"events\":[\n"), ",\n")
		if want := `{"seq":1,"time":"` + begun.Format("2006-01-02T15:04:05.000Z07:00") + `","kind":"start","detail":"version 1"}`; first != want {
			t.Errorf("the first event is %s, want %s", first, want)
		}
		for target, want := range map[string][]uint64{
			"/events":                               {1, 2, 3, 4, 5, 6},
			"/events/":                              {1, 2, 3, 4, 5, 6},
			"/events?since=1h":                      {6},
			"/events?since=2h30m":                   {5, 6},
			"/events?since=0s":                      {},
			"/events?since=99999h":                  {1, 2, 3, 4, 5, 6},
			"/events?proxy=ngboss":                  {2, 4},
			"/events?proxy=ngboss&group=web-ngboss": {2},
			"/events?proxy=ngboss&group=web-iupc":   {},
			"/events?group=web-treasury":            {3},
			"/events?proxy=removed":                 {5},
			"/events?group=old":                     {5},
			"/events?kind=reload":                   {4},
			"/events?kind=reload,held&since=10h":    {4, 5},
			"/events?since=" + url.QueryEscape(begun.Add(3*time.Hour).Format(time.RFC3339)): {4, 5, 6},
		} {
			a := eventsAt(t, s, target)
			if diff := cmp.Diff(want, a.numbers()); diff != "" || !a.Complete || a.Last != 6 {
				t.Errorf("%s: complete %v, last %d, (-want +got)\n%s", target, a.Complete, a.Last, diff)
			}
		}
		last := eventsAt(t, s, "/events?since=1h").Events[0]
		if want := `line 1: "<" is wrong`; last.Detail != want {
			t.Errorf("detail %q, want %q", last.Detail, want)
		}
		if w := ask(s, http.MethodHead, "/events"); w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("Content-Type") != typeJSON {
			t.Errorf("HEAD: %d %v %s", w.Code, w.Header(), w.Body)
		}
	})
}

func TestWrongParametersOfEvents(t *testing.T) {
	s, _ := eventServer()
	for target, want := range map[string]string{
		"/events?from=1h":              `unknown parameter "from"`,
		"/events?since":                `since "" is neither a duration such as 1h30m nor a time such as 2026-01-02T15:04:05Z`,
		"/events?since=-1h":            `since "-1h" is neither`,
		"/events?since=1d":             `since "1d" is neither`,
		"/events?since=1h&since=2h":    `since is given 2 times: give it once`,
		"/events?kind=reload,reloads":  `no kind "reloads": use one or more of start, stop, `,
		"/events?kind=":                `no kind ""`,
		"/events?proxy=%zz":            `the query is malformed: invalid URL escape "%zz"`,
		"/events?a;b":                  `the query is malformed: `,
		"/events?%0a%1b=%e2%80%ae":     `unknown parameter "\n\x1b"`,
		"/events?since=2026-01-02":     `since "2026-01-02" is neither`,
		"/events?since=99999999999999": `is neither`,
		"/events?proxy=x&unknown=" + strings.Repeat("y", 10_000): `unknown parameter "unknown"`,
	} {
		w := get(s, target)
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusBadRequest || !strings.Contains(p.Error, want) || len(p.Error) > 1000 || len(p.Parameters) != 4 {
			t.Errorf("%.60s: %d %v, want %s", target, w.Code, p.Error, want)
		}
	}
	for target, want := range map[string]problem{
		"/events?proxy=x":                {Error: `no proxy "x"`, Proxies: []string{"ngboss", "ecbusi"}},
		"/events?group=x":                {Error: `no group "x" in any proxy`, Proxies: []string{"ngboss", "ecbusi"}},
		"/events?proxy=ngboss&group=x":   noGroup("x", seed()[0].Snapshot()),
		"/events?proxy=x&group=web-iupc": {Error: `no proxy "x"`, Proxies: []string{"ngboss", "ecbusi"}},
	} {
		w := get(s, target)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, w.Code)
		}
		expectProblem(t, w.Body.Bytes(), want)
	}
}

// TestAnswerSaysThatEventsAreLost records more events of instances than are kept.
func TestAnswerSaysThatEventsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ring := eventServer()
		ring.Append(registry.Event{Kind: registry.EventStart})
		for n := range 20_000 {
			ring.Append(entered("ngboss", "web-ngboss", n%250))
		}
		<-time.After(time.Hour)
		ring.Append(registry.Event{Kind: registry.EventReload, Proxy: "ngboss"})
		all := eventsAt(t, s, "/events")
		if all.Complete || len(all.Events) < 5000 || all.Events[0].Seq != 1 || all.Events[len(all.Events)-1].Seq != 20_002 || all.Last != 20_002 {
			t.Errorf("complete %v, %d events", all.Complete, len(all.Events))
		}
		if !slices.IsSorted(all.numbers()) {
			t.Error("the events are not in order")
		}
		if recent := eventsAt(t, s, "/events?since=30m"); !recent.Complete || len(recent.Events) != 1 {
			t.Errorf("of the last half hour: complete %v, %d events", recent.Complete, len(recent.Events))
		}
	})
}

// FuzzEvents checks that any parameters get events or one short printable line.
func FuzzEvents(f *testing.F) {
	for _, query := range []string{
		"", "since=1h", "since=2026-01-02T15:04:05+02:00", "kind=up,down&proxy=ngboss", "group=web-ngboss&since=-1s", "a=b", "%", ";", "kind=&kind=",
	} {
		f.Add(query, "12")
	}
	f.Add("", "18446744073709551616")
	s, ring := eventServer()
	ring.Append(entered("ngboss", "web-ngboss", 1))
	f.Fuzz(func(t *testing.T, query, id string) {
		r := httptest.NewRequest(http.MethodGet, "/events", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		all(s).ServeHTTP(w, r)
		checkAnswer(t, w.Result())
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusNotFound {
			t.Errorf("status %d", w.Code)
		}
		if _, missed, err := beginning(ring, &eventFilter{}, id); err != nil && (missed || len(err.Error()) > 400 || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) })) {
			t.Errorf("%v", err)
		}
	})
}
