package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// event is one event of /events.
type event struct {
	Seq                                          uint64
	Time                                         time.Time
	Kind, Proxy, Group, Instance, Reason, Detail string
}

// String returns the event without what differs between runs.
func (e event) String() string {
	text := e.Kind
	for _, part := range []string{e.Group, e.Instance, e.Reason} {
		if part != "" {
			text += " " + part
		}
	}
	return text
}

// changed returns the events that the daemon answers.
func (s *stage) changed(parameters string) (all []event) {
	s.t.Helper()
	code, body := s.get("/events" + parameters)
	var document struct {
		Events   []event
		Complete bool
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil || code != http.StatusOK || !document.Complete {
		s.t.Fatalf("/events: %d %s %v", code, body, err)
	}
	return document.Events
}

// changes waits until events with these texts have followed each other, others between
// them.
func (s *stage) changes(want ...string) {
	s.t.Helper()
	s.eventually("events", func() error {
		rest, all := want, []string{}
		for _, e := range s.changed("?since=1h") {
			all = append(all, e.String())
			if len(rest) > 0 && rest[0] == e.String() {
				rest = rest[1:]
			}
		}
		if len(rest) > 0 {
			return fmt.Errorf("no %q, after the others, in %q", rest[0], all)
		}
		return nil
	})
}

// TestWhatChangedInTheLastHour lets happen whatever an operator asks about at three in
// the morning, and restarts the daemon before the question.
func TestWhatChangedInTheLastHour(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		s := begin(t, h, func(c *rig.SeedConfig) { c.ZKAddr = z.Addr() })
		var want []string
		then := func(events ...string) {
			t.Helper()
			want = append(want, events...)
			s.changes(want...)
		}
		of := func(kind string, a *rig.App, reason string) string {
			return strings.TrimSpace(kind + " " + front + " " + a.Addr() + " " + reason)
		}
		then("start", "reload start")
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		for _, app := range []*rig.App{a, b} {
			s.changes(of("registered", app, ""), of("serving", app, "registered"))
		}
		b.SetHealthy(false)
		then(of("down", b, "health check"))
		b.SetHealthy(true)
		then(of("up", b, "health check"))
		if err := b.Unregister(); err != nil {
			t.Fatal(err)
		}
		then(of("deregistered", b, ""), of("removed", b, "deregistered"))

		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.renewed(before)
		then("reload signal")
		before = s.pids()
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.replaced(before)
		then("worker_exit died", "reload worker died")

		s.operate(0, front, a, "state drain")
		then(of("operator", a, "operator"), of("draining", a, "operator"))
		s.operate(0, front, a, "state ready")
		then(of("operator", a, "operator"), of("serving", a, "operator"))

		if err := z.Kill(); err != nil {
			t.Fatal(err)
		}
		then("zookeeper_lost")
		if err := z.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		then("zookeeper_back")

		s.config.Extra = map[string]any{"stop_grace": "soon"}
		s.rewrite(s.config)
		s.reread("error")
		then("configuration_rejected")
		s.config.Extra = nil
		s.rewrite(s.config)
		s.reread("ok")
		then("configuration_accepted")

		all := s.changed("")
		s.stopped()
		s.start()
		s.ready()
		then("stop requested", "start", "reload start")
		now := s.changed("")
		if !slices.Equal(all, now[:len(all)]) {
			t.Errorf("before the restart:\n%v\nafter it:\n%v", all, now)
		}
		for i, e := range now {
			if e.Seq != uint64(i+1) || time.Since(e.Time) > time.Hour { //nolint:gosec // a small index
				t.Errorf("event %d of %v is %d", i+1, e.Time, e.Seq)
			}
		}
		for _, e := range s.changed("?kind=configuration_rejected") {
			if !strings.Contains(e.Detail, "ngboss.stop_grace") {
				t.Errorf("detail %q", e.Detail)
			}
		}
		if info, err := os.Stat(filepath.Join(s.home, "state", "events.log")); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		s.stopped()
	})
}

// eventStream follows /events.
type eventStream struct {
	s      *stage
	answer *http.Response
	lines  *bufio.Scanner
	last   string // number of the last event
}

// followEvents begins after the event with a number.
func (s *stage) followEvents(last string) *eventStream {
	s.t.Helper()
	f := &eventStream{s: s, last: last}
	s.eventually("the stream begins", func() error {
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.http+"/events", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Accept", "text/event-stream")
		request.Header.Set("Last-Event-ID", last)
		f.answer, err = http.DefaultClient.Do(request)
		return err
	})
	s.t.Cleanup(func() { f.answer.Body.Close() })
	if f.answer.StatusCode != http.StatusOK {
		s.t.Fatal(f.answer.Status)
	}
	f.lines = bufio.NewScanner(f.answer.Body)
	return f
}

// until reads events up to one with this text, and returns them; an empty text is the end
// of the stream. Events of which the stream says that they were missed are one of that
// kind.
func (f *eventStream) until(text string) (all []event) {
	f.s.t.Helper()
	cut := time.AfterFunc(within, func() { f.answer.Body.Close() })
	defer cut.Stop()
	for f.lines.Scan() {
		if id, is := strings.CutPrefix(f.lines.Text(), "id: "); is {
			f.last = id
		}
		if f.lines.Text() == "event: missed" {
			all = append(all, event{Kind: "missed"})
		}
		data, is := strings.CutPrefix(f.lines.Text(), "data: ")
		if !is || data == "{}" {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			f.s.t.Fatalf("%s: %v", data, err)
		}
		if all = append(all, e); text != "" && e.String() == text {
			return all
		}
	}
	if text != "" {
		f.s.t.Fatalf("no event %q in %v: %v", text, all, f.lines.Err())
	}
	return all
}

// TestStreamOfEventsResumes follows the events over a crash of the daemon, beside clients
// that never read.
func TestStreamOfEventsResumes(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		f := s.followEvents("")
		a := s.app(front)
		serving := "serving " + front + " " + a.Addr() + " registered"
		f.until(serving)

		refused := 0
		for range 70 {
			conn, err := net.Dial("tcp", s.http)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprintf(conn, "GET /events?since=1h HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, "503") {
				refused++
			}
		}
		if refused != 70-63 { // one of 64 streams reads
			t.Errorf("%d streams were refused", refused)
		}
		b := s.app(front)
		s.serves(front, a, b)
		got := f.until("serving " + front + " " + b.Addr() + " registered")
		if age := time.Since(got[len(got)-1].Time); age > 2*time.Second {
			t.Errorf("it came after %v", age)
		}

		s.eventually("the events are on the disk", func() error {
			text, err := os.ReadFile(filepath.Join(s.home, "state", "events.log"))
			if !strings.Contains(string(text), `"seq":`+f.last+",") {
				return fmt.Errorf("no event %s in %s: %w", f.last, text, err)
			}
			return nil
		})
		s.daemon.Kill()
		f.until("")
		s.start()
		s.ready()
		last := atoi(f.last)
		f = s.followEvents(f.last)
		// The crash may have lost events of its last second.
		if got := f.until("reload start"); got[0].Kind != "missed" || got[1].Kind != "start" || int(got[1].Seq) <= last { //nolint:gosec // about a million
			t.Errorf("after the crash came %v, before it %d events", got, last)
		}
		begun := time.Now()
		if err := s.daemon.Signal(sigterm); err != nil {
			t.Fatal(err)
		}
		f.until("stop requested")
		f.until("")
		s.exits(0)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it stopped after %v", took)
		}
	})
}
