package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// child is a child of a group that cannot be used: what is reported of it.
type child struct{ name, data, kind, problem string }

// undecodable returns a child of each kind that only formats with data have, and one that
// is one of them by its name.
func undecodable(port int) []child {
	at := func(text string) string { return fmt.Sprintf(text, port) }
	return []child{
		{"a-cut", `{"name":"web","address":"127.0.0.1","port":`, "payload", "its data is JSON of no known format"},
		{"b-deep", strings.Repeat("[", 100_000), "payload", "neither its name nor its data has a known format"},
		{"c-empty", "", "other", "not an ip:port"},
		{"d-null", `{"serviceEndpoint":null,"status":"ALIVE"}`, "address", "no port between 1 and 65535"},
		{"e-starting", at(`{"serviceEndpoint":{"host":"127.0.0.1","port":%d},"status":"STARTING"}`), "waiting", "its registration says STARTING"},
		{"f-weight", at(`{"host":"127.0.0.1","port":%d,"weight":"NaN of it"}`), "payload", "the weight is not a number"},
		{"g-name", at(`{"host":"nowhere.invalid","port":%d}`), "unresolved", ""},
		{url.QueryEscape(at("dubbo://127.0.0.1:%d/Demo")), "", "protocol", "its URL is of a protocol that is not HTTP, and protocol does not name it"},
	}
}

// notRegistrations are children that are known and silent.
func notRegistrations() map[string]string {
	return map[string]string{
		"configurators": "10.0.0.1", "routers": "", "mapping": "", "metadata": "{}", "config": "timeout=5", "vector_0000000001": "{",
		url.QueryEscape("override://0.0.0.0/Demo?disabled=true"): "", url.QueryEscape("empty://0.0.0.0/Demo"): "",
	}
}

// namesSkipped returns nil if `?detail` has exactly these children of a group, each with
// its reason.
func (s *stage) namesSkipped(group string, want []child) error {
	_, body := s.get("/" + s.proxy() + "/" + group + "?detail")
	var document map[string]map[string]struct {
		Skipped []struct{ Name, Kind, Problem, Remedy string }
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	got := document[s.proxy()][group].Skipped
	var errs []error
	if len(got) != len(want) {
		errs = append(errs, fmt.Errorf("%d children are named, not %d: %s", len(got), len(want), body))
	}
	for _, c := range want {
		found := false
		for _, g := range got {
			named := g.Name == c.name || strings.HasSuffix(g.Name, "...") && strings.HasPrefix(c.name, strings.TrimSuffix(g.Name, "..."))
			found = found || named && g.Kind == c.kind && (c.problem == "" || g.Problem == c.problem) && g.Problem != "" && g.Remedy != ""
		}
		if !found {
			errs = append(errs, fmt.Errorf("%s is not named as %s %q: %s", c.name, c.kind, c.problem, body))
		}
	}
	return errors.Join(errs...)
}

// logsOnce returns nil if each of children, and nothing else, is logged once as not used.
func (s *stage) logsOnce(children []child) error {
	lines := append(s.logged(skippedLine), s.logged("instances are registered, but do not serve yet")...)
	var errs []error
	if len(lines) != len(children) {
		errs = append(errs, fmt.Errorf("%d lines about %d children: %v", len(lines), len(children), lines))
	}
	for _, c := range children {
		about := slices.IndexFunc(lines, func(line map[string]any) bool {
			return strings.HasPrefix(c.name, strings.TrimSuffix(fmt.Sprint(line["example"]), "...")) && strings.Contains(fmt.Sprint(line["problem"]), c.problem)
		})
		if about < 0 {
			errs = append(errs, fmt.Errorf("%s is not logged as %q", c.name, c.problem))
		}
	}
	return errors.Join(errs...)
}

// A flood of children that cannot be used is counted, and neither floods the log nor hides
// who serves.
func TestFloodOfUndecodableChildrenIsSummarized(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, nil)
		web := s.unregistered(front)
		var list strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&list, "bad-%05d\n", i)
		}
		s.renamed(filepath.Join(s.services(), front+".instances"), list.String()+web.Addr()+"\n")
		s.start()
		s.ready()
		s.serves(front, web)
		s.eventually("all are counted", func() error { return s.counts(10_000, "haproxyzk_directory_skipped") })
		const line = "skipping entries of the directory that are not usable instances"
		lines := s.logged(line)
		if n := len(lines); n != 11 || lines[0]["example"] != "bad-00000" || fmt.Sprint(lines[n-1]["count"]) != "10000" {
			t.Errorf("%d lines: %v", n, lines)
		}
		_, body := s.get("/" + s.proxy() + "/" + front + "?detail")
		if !strings.Contains(body, `"skipped_more":9900`) || !strings.Contains(body, `"bad-00099"`) || strings.Contains(body, `"bad-00100"`) {
			t.Errorf("%.2000s", body)
		}
		_, findings := s.findings(s.written(), "--online")
		wants(t, findings, "warning", "ngboss.dir", `10000 names skipped, as "bad-00000"`)
		if _, text := s.asks("explain", s.proxy()+"/"+front+"/bad-09999"); !strings.Contains(text, "does not serve") || !strings.Contains(text, "9900 more children") {
			t.Errorf("explain says\n%s", text)
		}
		s.renamed(filepath.Join(s.services(), front+".instances"), list.String()+"one-more\n"+web.Addr()+"\n")
		s.eventually("one more is counted", func() error { return s.counts(10_001, "haproxyzk_directory_skipped") })
		if n := len(s.logged(line)); n != 11 {
			t.Errorf("%d lines", n)
		}
	})
}

// A child that cannot be decoded hides no other, and is visible with its reason in all
// places; what is known not to be a registration is in none.
func TestUndecodableChildrenAreVisibleWithTheirReasons(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		web := s.unregistered("web")
		children := undecodable(s.port())
		for _, c := range children {
			s.writes(s.node("web"), c.name, c.data, 0)
		}
		for name, data := range notRegistrations() {
			s.writes(s.node("web"), name, data, 0)
		}
		s.writes(s.node("web"), "z-good", web.Addr(), 0)
		s.serves("web", web)
		s.eventually("?detail names them", func() error { return s.namesSkipped("web", children) })

		kinds := make(map[string]int)
		for _, c := range children {
			kinds[c.kind]++
		}
		for kind, n := range kinds {
			if err := s.counts(float64(n), "haproxyzk_registrations_skipped", `kind="`+kind+`"`); err != nil {
				t.Error(err)
			}
		}
		s.eventually("each is logged once with its reason", func() error { return s.logsOnce(children) })

		_, whole := s.asks("explain", s.proxy()+"/web")
		_, findings := s.findings(s.written(), "--online")
		checked := fmt.Sprint(findings)
		for _, c := range children {
			shown := c.name[:min(len(c.name), 64)]
			if !strings.Contains(whole, "such as "+shown) {
				t.Errorf("explain says nothing of %s:\n%s", c.name, whole)
			}
			if !strings.Contains(checked, `as "`+shown) || !strings.Contains(checked, c.problem) {
				t.Errorf("check --online says nothing of %s: %s", c.name, checked)
			}
			_, one := s.asks("explain", s.proxy()+"/web/"+c.name)
			if !strings.Contains(one, "does not serve: "+c.problem) || !strings.Contains(one, "("+c.kind+")") {
				t.Errorf("explain of %s says\n%s", c.name, one)
			}
		}
		for name := range notRegistrations() {
			shown := name[:min(len(name), 64)]
			for _, report := range []string{"such as " + shown, `as "` + shown, `"example":"` + shown} {
				if strings.Contains(whole+checked+s.daemon.Output(), report) {
					t.Errorf("%s is reported", name)
				}
			}
		}

		// One that is corrected serves, and is named no more.
		other := s.unregistered("web")
		s.rewrites(s.node("web")+"/a-cut", other.Addr())
		s.serves("web", web, other)
		s.eventually("it is named no more", func() error { return s.namesSkipped("web", children[1:]) })
	})
}

// In a directory, what cannot be used is visible in the same places.
func TestUndecodableFilesAreVisibleWithTheirReasons(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, discovering)
		web := s.unregistered("web")
		children := undecodable(s.port())
		dir := filepath.Join(s.services(), "web", "instances")
		s.mkdir(dir)
		for _, c := range children {
			s.renamed(filepath.Join(dir, c.name), c.data)
		}
		s.renamed(filepath.Join(dir, "z-good"), web.Addr())
		s.start()
		s.ready()
		s.serves("web", web)
		s.eventually("?detail names them", func() error { return s.namesSkipped("web", children) })
		s.eventually("all are counted", func() error { return s.counts(float64(len(children)), "haproxyzk_directory_skipped") })
		_, findings := s.findings(s.written(), "--online")
		checked := fmt.Sprint(findings)
		for _, c := range children {
			_, one := s.asks("explain", s.proxy()+"/web/"+c.name)
			if !strings.Contains(one, "does not serve: "+c.problem) || !strings.Contains(checked, c.problem) {
				t.Errorf("%s: explain says\n%s\ncheck says %s", c.name, one, checked)
			}
		}
	})
}
