package query

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestDocumentsOfTheSeed(t *testing.T) {
	s := newServer(seed()...)
	for target, file := range map[string]string{
		"/":                       "all.json",
		"/ngboss":                 "ngboss.json",
		"/ngboss/":                "ngboss.json",
		"/ecbusi":                 "ecbusi.json",
		"/ngboss/web-ngboss":      "web-ngboss.json",
		"/ngboss/web-ngboss/":     "web-ngboss.json",
		"/ng%62oss/web%2Dngboss?": "web-ngboss.json",
	} {
		t.Run(target, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			w := get(s, target)
			if w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
			if diff := cmp.Diff(string(want), w.Body.String()); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
			if !json.Valid(w.Body.Bytes()) {
				t.Error("the document is no JSON")
			}
		})
	}
}

func TestDocumentWithoutGroups(t *testing.T) {
	for name, c := range map[string]struct {
		proxies []Proxy
		target  string
		want    string
	}{
		"no proxy":    {nil, "/", "{}\n"},
		"no group":    {[]Proxy{serving("ngboss")}, "/ngboss", `{"ngboss":{}}` + "\n"},
		"all of none": {[]Proxy{serving("b"), serving("a")}, "/", `{"b":{},"a":{}}` + "\n"},
		"no instance": {[]Proxy{serving("ngboss", group("web"))}, "/ngboss/web", `{"ngboss":{"web":{"instances":[]}}}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, get(newServer(c.proxies...), c.target).Body.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDocumentOfOddNames(t *testing.T) {
	odd := "a/b \"ü\\\n<>"
	s := newServer(serving(odd, group(odd, "[2001:db8::1]:80")))
	var got map[string]map[string]struct{ Instances []string }
	w := get(s, "/a%2Fb%20%22%C3%BC%5C%0A%3C%3E/a%2Fb%20%22%C3%BC%5C%0A%3C%3E")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	want := map[string]map[string]struct{ Instances []string }{odd: {odd: {[]string{"[2001:db8::1]:80"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnchangedGroupIsNotEncodedAgain(t *testing.T) {
	large, web := group("large", "10.0.0.1:1", "10.0.0.2:2"), group("web", "10.0.0.3:3")
	first := newDocument(&registry.Snapshot{Proxy: "a", Groups: []*registry.Group{large, web}}, nil, 1)
	web = group("web", "10.0.0.4:4")
	second := newDocument(&registry.Snapshot{Proxy: "a", Groups: []*registry.Group{web, large}}, first, 2)
	if &first.groups["large"].text[0] != &second.groups["large"].text[0] {
		t.Error("a group was written out again although only another one changed")
	}
	want := `{"a":{"web":{"instances":["10.0.0.4:4"]},"large":{"instances":["10.0.0.1:1","10.0.0.2:2"]}}}` + "\n"
	if got := string(second.whole.text()); got != want {
		t.Errorf("the whole is %s, want %s", got, want)
	}
}
