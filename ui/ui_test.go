package ui

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// instances are the members of a group.
type instances []Instance

func (i instances) Instances() []Instance { return i }

func (i instances) Has(text string) bool {
	return slices.ContainsFunc(i, func(one Instance) bool { return strings.Contains(one.Address, text) })
}

// hostile is what others may call things.
const hostile = "\"><script>alert(1)</script>\u202e應用"

// everything is an overview in which everything is said.
func everything() *Overview {
	var members instances
	for i, state := range []State{"up", "starting", "drain", "down", "maint", "held", "waiting"} {
		members = append(members, Instance{
			Address: fmt.Sprintf("10.0.0.%d:80", i+1), State: state, SetBy: "health check", Reason: hostile, Since: now.Add(-time.Minute), Differs: true,
			Workers: []Worker{{PID: 7, Server: "web1", State: "down", Since: now, Checked: true, Check: "L7STS", CheckCode: 503, CheckText: hostile}, {PID: 8, State: "up"}},
		})
	}
	finding := registry.Finding{Kind: registry.Other, Count: 2, Example: hostile, Problem: hostile, Remedy: "register ip:port"}
	failed := registry.Launched{At: now, Cause: "slots", Error: hostile}
	return &Overview{
		Rejected: hostile, RejectedSince: now, Place: registry.Place{Node: hostile, Zone: hostile},
		Proxies: []Proxy{
			{Name: hostile, Problem: hostile, Sources: registry.ConnectionStatus{Problem: hostile, Last: now, Recalled: []string{"a"}}, Silent: 1, Draining: 2, Launched: failed, Version: "2.2.9", Ended: true, Support: "gone", Carried: []Carried{{"backends", 3}, {"slots", 1}}, Unread: 1, Misplaced: []registry.Finding{finding}},
			{Name: "q", Ready: true, Sources: registry.ConnectionStatus{Connected: true, Server: "zk:2181", RoundTrip: time.Second, Denied: hostile}, Launched: registry.Launched{At: now, Cause: "start"}},
			{Name: "r"},
		},
		Groups: []Group{
			{Proxy: "q", Name: "fine", Registered: 2, Up: 2, Reported: true, Members: instances{}, Figures: Figures{HTTP: true, Rated: true, Rate: 1234.5, ResponseTime: 12 * time.Millisecond}},
			{Proxy: hostile, Name: hostile, Registered: 7, Up: 1, Down: 1, Held: 1, Waiting: 1, Full: true, Starting: 1, Changed: 1, Different: 1, Unread: true, Recalled: true, Reported: true, CarriedBy: "slots", CarriedReason: hostile, Members: members, Findings: []registry.Finding{finding}, Figures: Figures{HTTP: true, Rated: true, Share: 0.5, Queue: 3}},
			{Proxy: "q", Name: "dead", Registered: 1, Down: 1, Outage: true, Members: instances{}},
			{Proxy: "q", Name: "empty", Members: instances{}},
		},
	}
}

func viewOf(o *Overview, l Lang, a Asked) *View {
	v := &View{Overview: o, Lang: l, Asked: a, Now: now}
	for i, kind := range registry.EventKinds() {
		v.Events.List = append(v.Events.List, Event{uint64(i + 1), now, registry.Event{Kind: kind, Proxy: "q", Group: hostile, Instance: registry.Instance{Addr: netip.MustParseAddrPort("10.0.0.1:80")}, Reason: hostile, Detail: hostile}})
	}
	v.Events.More = true
	return v
}

// inline finds what the page's policy forbids: scripts and styles in the page itself.
var inline = regexp.MustCompile(`(?i)<script(?: [^>]*)?>[^<]|<[a-z][^>]*\s(?:on[a-z]+|style)\s*=|<style|javascript:|https?://`)

// Whatever others call things, the page has it as text, in its own direction.
func TestWordsOfOthersAreText(t *testing.T) {
	t.Parallel()
	r := New()
	o := everything()
	for _, l := range []Lang{English, Chinese} {
		text := string(r.Page(viewOf(o, l, Asked{Open: []string{o.Groups[1].key()}, Filter: "", Of: hostile, Since: time.Hour, Kind: registry.EventReload})))
		for _, found := range inline.FindAllString(text, -1) {
			t.Errorf("%s: the page has %s", l, found)
		}
		if strings.Contains(text, "alert(1)</script>") {
			t.Errorf("%s: a script of others", l)
		}
		escaped := "&gt;&lt;script&gt;alert(1)&lt;/script&gt;\u202e應用"
		if n, isolated := strings.Count(text, escaped), regexp.MustCompile(`<bdi>[^<]*`+regexp.QuoteMeta(escaped)).FindAllString(text, -1); n != len(isolated)+2 { // and the field, and what the other form keeps of it
			t.Errorf("%s: of %d texts %d are isolated", l, n, len(isolated))
		}
		for _, mark := range []string{cut, age} {
			if strings.Contains(text, mark) {
				t.Errorf("%s: a mark is left", l)
			}
		}
	}
}

// checks are HAProxy's words for the results of checks.
var checks = strings.Fields("UNK INI SOCKERR L4OK L4TOUT L4CON L6OK L6TOUT L6RSP L7OK L7OKC L7TOUT L7RSP L7STS PROCOK PROCTOUT PROCERR")

// What haproxy-zk says is said in the language of the page, and what others say as it is.
func TestPhrases(t *testing.T) {
	t.Parallel()
	r := New()
	for text, want := range map[string][2]string{
		"registered in ZooKeeper, no worker has it yet": {"registered in ZooKeeper, no worker has it yet", "在 ZooKeeper 中注册，尚无工作进程使用"},
		"weight 50%":           {"weight 50%", "权重 50%"},
		"drain weight 50%":     {"drain weight 50%", "drain weight 50%"},
		"longer than 64 bytes": {"longer than 64 bytes", "超过 64 字节"},
		"released 2022-05, supported until 2027-04": {"released 2022-05, supported until 2027-04", "发布于 2022-05，维护至 2027-04"},
		"weight #":                  {"weight #", "权重 #"},
		"registered, by somebody":   {"registered, by somebody", "registered, by somebody"},
		hostile:                     {hostile, hostile},
		"L7STS Service Unavailable": {"L7STS (wrong status) Service Unavailable", "L7STS (状态码不符) Service Unavailable"},
		"L4TOUT":                    {"L4TOUT (connection timed out)", "L4TOUT (连接超时)"},
	} {
		for i, l := range []Lang{English, Chinese} {
			if got := r.of[l].reason(text); got != want[i] {
				t.Errorf("%s: %q is %q, not %q", l, text, got, want[i])
			}
		}
	}
}

// All words are there in both languages, for all that can be said.
func TestWords(t *testing.T) {
	t.Parallel()
	english, err := readWords(English)
	if err != nil {
		t.Fatal(err)
	}
	chinese, err := readWords(Chinese)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(words map[string]string) []string {
		return slices.DeleteFunc(slices.Sorted(maps.Keys(words)), func(key string) bool { return strings.HasPrefix(key, "= ") })
	}
	if diff := cmp.Diff(keys(english), keys(chinese)); diff != "" {
		t.Errorf("-English +Chinese\n%s", diff)
	}
	wanted := []string{"second", "minute", "hour", "day", "comma", "no_events", "more_events", "lost_events"}
	for _, name := range []string{"page", "strip", "rows"} {
		text, err := templateFiles.ReadFile("templates/" + name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bt "([a-z_0-9]+)"`).FindAllStringSubmatch(string(text), -1) {
			wanted = append(wanted, m[1])
		}
	}
	for _, kind := range registry.EventKinds() {
		wanted = append(wanted, "kind_"+string(kind))
	}
	for _, state := range []string{"up", "starting", "drain", "down", "maint", "held", "waiting"} {
		wanted = append(wanted, "state_"+state)
	}
	for _, way := range []string{"slots", "servers", "backends"} {
		wanted = append(wanted, "carried_"+way, "n_carried_"+way)
	}
	for _, code := range checks {
		wanted = append(wanted, "check_"+code)
	}
	for _, span := range spans() {
		wanted = append(wanted, "span_"+span)
	}
	for _, name := range append(sorts(), "status") {
		wanted = append(wanted, name, name+"_title")
	}
	for i := range everything().Groups {
		for _, r := range everything().Groups[i].remarks() {
			wanted = append(wanted, r.Word)
		}
	}
	for _, key := range wanted {
		if english[key] == "" {
			t.Errorf("no words for %s", key)
		}
	}
	used := strings.Join(wanted, " ") + " "
	for key := range english {
		if base := strings.TrimSuffix(key, "_1"); !strings.Contains(used, base+" ") {
			t.Errorf("nothing says %s", key)
		}
	}
}

// A page and what is sent later are small.
func TestSize(t *testing.T) {
	t.Parallel()
	size := 0
	for _, f := range Files() {
		size += len(f.Text)
	}
	if size += len(New().Page(viewOf(everything(), Chinese, Asked{}))); size > 150<<10 {
		t.Errorf("the page and its files have %d bytes", size)
	}
}

// What is sent is what has changed.
func TestSince(t *testing.T) {
	t.Parallel()
	r := New()
	o := everything()
	before := r.Sheets(viewOf(o, English, Asked{}))
	later := viewOf(everything(), English, Asked{})
	later.Now = now.Add(time.Hour)
	if changes := r.Sheets(later).Since(before); changes != nil {
		t.Errorf("after an hour in which nothing happened: %s", changes)
	}
	if again := r.Sheets(later); again.Mark() != before.Mark() {
		t.Error("the same has another mark")
	}
	changed := everything()
	changed.Groups[0].Queue = 1234567
	changed.Groups[0].Registered = 3
	key := changed.Groups[0].key()
	after := r.Sheets(viewOf(changed, English, Asked{Sort: "name"}))
	got := string(after.Since(r.Sheets(viewOf(o, English, Asked{Sort: "name"}))))
	want := fmt.Sprintf(`{"groups":{"k":{"%s":"group warn"},"c":{"%s":{"1":"<td class=\"status\"> <span class=\"chip warn\">Queueing</span></td>","2":"<td class=\"number\" data-name=\"Registered\">3</td>","9":"<td class=\"number warn\" data-name=\"Queue\">1`+"\u202f234\u202f"+`567</td>"}}},"state":{"c":{"overall":{"1":"<span id=\"troubled\" data-n=\"3\" class=\"some\">3 groups with problems</span>"}}}}`, key, key)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	changed.Groups = changed.Groups[1:]
	if got := string(r.Sheets(viewOf(changed, English, Asked{Sort: "name"})).Since(after)); !strings.Contains(got, `"o":["`) || strings.Contains(got, key) {
		t.Errorf("without a group: %s", got)
	}
}

func TestWorstFirst(t *testing.T) {
	t.Parallel()
	o := everything()
	named := func(a Asked) (names []string) {
		for _, g := range o.choose(a).groups {
			names = append(names, strings.ReplaceAll(g.Name, hostile, "hostile"))
		}
		return names
	}
	for _, tt := range []struct {
		asked Asked
		want  []string
	}{
		{Asked{}, []string{"dead", "hostile", "empty", "fine"}},
		{Asked{Trouble: true}, []string{"dead", "hostile"}},
		{Asked{Sort: "rate"}, []string{"fine", "hostile", "dead", "empty"}},
		{Asked{Sort: "queue"}, []string{"hostile", "dead", "empty", "fine"}},
		{Asked{Filter: "FINE"}, []string{"fine"}},
		{Asked{Filter: "0.0.3:"}, []string{"hostile"}},
		{Asked{Filter: "nothing"}, nil},
		{Asked{Filter: "q"}, nil},
		{Asked{Filter: "q/f"}, []string{"fine"}},
	} {
		if diff := cmp.Diff(tt.want, named(tt.asked)); diff != "" {
			t.Errorf("%+v: -want +got\n%s", tt.asked, diff)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	o := &Overview{}
	for i := range 120 {
		o.Groups = append(o.Groups, Group{Name: fmt.Sprintf("g%03d", i), Registered: 1, Members: instances{}})
	}
	for page, want := range map[int]string{0: "g000-g049", 1: "g050-g099", 2: "g100-g119", 99: "g100-g119"} {
		c := o.choose(Asked{Page: page})
		if got := c.groups[0].Name + "-" + c.groups[len(c.groups)-1].Name; got != want || c.pages != 3 {
			t.Errorf("page %d of %d: %s", page, c.pages, got)
		}
	}
}

// Of many instances those are shown that are not up.
func TestManyInstances(t *testing.T) {
	t.Parallel()
	var all []Instance
	for i := range 1000 {
		all = append(all, Instance{Address: fmt.Sprint(i), State: "up"})
	}
	all[999].State = "down"
	shown := fewest(all)
	if len(shown) != most || shown[most-1].Address != "999" || shown[0].Address != "0" {
		t.Errorf("%d instances, the last is %s", len(shown), shown[len(shown)-1].Address)
	}
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Lang{
		"": English, "zh-CN,zh;q=0.9,en;q=0.8": Chinese, "en-US,en;q=0.9,zh;q=0.8": English, "fr, zh-Hant;q=0.1": Chinese, "zh;q=0": English, "zh;q=x, de": English, "en;q=0.5,zh;q=NaN": English, ";;,,=": English,
	} {
		if got := Prefer([]string{value}); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}

// A round trip that always moves is shown anew at most every 15 seconds, and at once when
// it becomes slow.
func TestSteady(t *testing.T) {
	t.Parallel()
	s := make(Steady)
	p := Proxy{Name: "edge", Sources: registry.ConnectionStatus{Others: []registry.ConnectionStatus{{Source: registry.Directory}}}}
	for _, tt := range []struct {
		at               time.Duration
		trip, want, once int
	}{{0, 2, 2, 2}, {3, 7, 2, 7}, {14, 40, 2, 40}, {15, 40, 40, 40}, {18, 400, 400, 400}, {21, 700, 400, 700}, {24, 9, 9, 9}} {
		p.Sources.RoundTrip = time.Duration(tt.trip) * time.Millisecond
		at := now.Add(tt.at * time.Second)
		for of, want := range map[*Steady]int{&s: tt.want, new(Steady): tt.once} {
			if got := of.sources(&p, at); len(got) != 2 || got[0].RoundTrip != time.Duration(want)*time.Millisecond {
				t.Errorf("after %d s: %v, want %d ms", tt.at, got, want)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ got, want string }{
		{count(0), "0"},
		{count(999), "999"},
		{count(1234567), "1\u202f234\u202f567"},
		{(&Figures{}).rate(), none},
		{(&Figures{Rated: true, Rate: 0.04}).rate(), "<0.1"},
		{(&Figures{Rated: true, Rate: 3.14}).rate(), "3.1"},
		{(&Figures{Rated: true, Rate: 31415.9}).rate(), "31\u202f416"},
		{(&Figures{Rated: true, HTTP: true, Share: 0.123}).share(), "12"},
		{(&Figures{Rated: true}).share(), none},
		{took(300 * time.Microsecond), "<1 ms"},
		{took(1500 * time.Millisecond), "1.5 s"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s, not %s", tt.got, tt.want)
		}
	}
}

// What is asked is in the address of the page, and back.
func FuzzParse(f *testing.F) {
	f.Add("q", "web", "sort", "rate", "page", "3")
	f.Add("open", "a,b,,c", "since", "1h", "kind", "reload")
	f.Add("lang", "zh", "only", "trouble", "of", hostile)
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		given := map[string]string{n1: v1, n2: v2, n3: v3}
		a, err := Parse(given)
		if err != nil {
			return
		}
		r := New()
		v := viewOf(everything(), English, a)
		if found := inline.FindString(string(r.Page(v))); found != "" {
			t.Errorf("%v: the page has %s", given, found)
		}
	})
}
