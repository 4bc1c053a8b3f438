package events

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

// process is one process of haproxy-zk that records events in a directory.
type process struct {
	*Journal
	log     strings.Builder
	metrics *prometheus.Registry
}

// begin loads the events of the directory.
func begin(dir string) *process {
	p := &process{metrics: prometheus.NewRegistry()}
	p.Journal = NewJournal(JournalOptions{
		Dir: dir, Ring: NewRing(), Metrics: NewMetrics(p.metrics),
		Logger: slog.New(slog.NewTextHandler(&p.log, nil)),
		Remedy: func(error) string { return "free the disk" },
	})
	p.Load()
	return p
}

// records appends events and writes them.
func (p *process) records(t *testing.T, events ...registry.Event) {
	t.Helper()
	for _, e := range events {
		p.Ring.Append(e)
	}
	var failing streak.Streak
	if p.write(&failing); failing.Failing() {
		t.Errorf("nothing was written: %s", p.log.String())
	}
}

// hasWritten returns nil once there were n writes with a result.
func (p *process) hasWritten(result string, n float64) error {
	families, err := p.metrics.Gather()
	if err != nil {
		return err
	}
	for _, m := range families[0].GetMetric() {
		if m.GetLabel()[0].GetValue() == result && m.GetCounter().GetValue() >= n {
			return nil
		}
	}
	return fmt.Errorf("fewer than %v writes with result %s", n, result)
}

func start() registry.Event { return registry.Event{Kind: registry.EventStart} }
func stop() registry.Event  { return registry.Event{Kind: registry.EventStop} }

// TestEventsOutlastProcesses tells of three processes: the first stops, the second
// crashes.
func TestEventsOutlastProcesses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	first := begin(dir)
	first.records(t, start(), serving(1))
	first.records(t, held("web"), stop())
	if info, err := os.Stat(first.path()); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	second := begin(dir)
	same(t, "read", first.Ring.After(0, 10), second.Ring.After(0, 10))
	second.records(t, start(), serving(2))
	same(t, "the numbers continue", []uint64{1, 2, 3, 4, 5, 6}, kept(second.Ring))
	same(t, "nothing is lost", uint64(0), second.Ring.After(0, 1).Lost)

	second.Ring.Append(serving(3)) // and it is killed
	third := begin(dir)
	same(t, "read after the crash", []uint64{1, 2, 3, 4, 5, 6}, kept(third.Ring))
	lost := third.Ring.After(0, 1).Lost
	if lost < 7 {
		t.Errorf("lost up to %d", lost)
	}
	third.records(t, start())
	same(t, "no number is used twice", lost+1, third.Ring.After(lost, 1).Events[0].Seq)
	fourth := begin(dir)
	if p := fourth.Ring.After(6, 1); p.Lost < lost || len(p.Events) != 1 {
		t.Errorf("the gap of the crash is unknown later: %+v", p)
	}
	for _, p := range []*process{first, second, third, fourth} {
		same(t, "log", "", p.log.String())
	}
}

// TestDamageLosesOnlyDamagedLines damages a file of seven events.
func TestDamageLosesOnlyDamagedLines(t *testing.T) {
	t.Parallel()
	lines := func(text string) []string { return strings.SplitAfter(text, "\n") }
	for name, test := range map[string]struct {
		damage func(text string) string
		want   []uint64
	}{
		"the end is cut":         {func(s string) string { return s[:len(s)-5] }, []uint64{1, 2, 3, 4, 5, 6}},
		"the last end of a line": {func(s string) string { return s[:len(s)-1] }, []uint64{1, 2, 3, 4, 5, 6}},
		"a digit is changed": {func(s string) string {
			return strings.Replace(s, `"seq":2,`, `"seq":7,`, 1)
		}, []uint64{1, 3, 4, 5, 6, 7}},
		"zeros at the end": {func(s string) string { return s + strings.Repeat("\x00", 4096) }, []uint64{1, 2, 3, 4, 5, 6, 7}},
		"zeros in the middle": {func(s string) string {
			return lines(s)[0] + strings.Repeat("\x00", 512) + "\n" + strings.Join(lines(s)[3:], "")
		}, []uint64{1, 4, 5, 6, 7}},
		"lines are repeated": {func(s string) string { return s + lines(s)[1] }, []uint64{1, 2, 3, 4, 5, 6, 7}},
		"two lines in one":   {func(s string) string { return strings.Replace(s, "\n", "", 1) }, []uint64{3, 4, 5, 6, 7}},
		"something else":     {func(string) string { return "<html>\n\n{}\n" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before := begin(dir)
			before.records(t, start(), serving(1), serving(2), reload("slots"), held("web"), serving(3), stop())
			text, err := os.ReadFile(before.path())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(before.path(), []byte(test.damage(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			after := begin(dir)
			same(t, "read", test.want, kept(after.Ring))
			if !strings.Contains(after.log.String(), "recorded events are damaged") {
				t.Errorf("the damage is not reported: %s", after.log.String())
			}
			after.records(t, start())
			again := begin(dir)
			same(t, "read after a write", kept(after.Ring), kept(again.Ring))
			same(t, "no damage is left", "", again.log.String())
		})
	}
}

func TestFileIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := begin(dir)
	long := reload("slots")
	long.Detail = strings.Repeat(`"<`, maxText/2)
	for n := range 3000 {
		p.Ring.Append(serving(n))
		p.Ring.Append(held(fmt.Sprint("web", n)))
		p.Ring.Append(long)
		if n%200 == 0 {
			p.records(t)
			if info, err := os.Stat(p.path()); err != nil || info.Size() > maxFile {
				t.Fatalf("%d bytes, %v", info.Size(), err)
			}
		}
	}
	p.records(t, stop())
	same(t, "all of the ring is in the file", kept(p.Ring), kept(begin(dir).Ring))
}

// TestFileIsNeverWrittenThroughForeignFiles puts files of others where the journal writes.
func TestFileIsNeverWrittenThroughForeignFiles(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	for name, trap := range map[string]func(path, victim string) error{
		"symbolic link": func(path, victim string) error { return os.Symlink(victim, path) },
		"hard link":     func(path, victim string) error { return os.Link(victim, path) },
		"FIFO":          func(path, _ string) error { return unix.Mkfifo(path, 0o666) },
		"another user's": func(path, victim string) error {
			text, err := os.ReadFile(victim)
			return errors.Join(err, os.WriteFile(path, text, 0o600), os.Chown(path, nobody, nobody))
		},
	} {
		for _, running := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, running %v", name, running), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				p := begin(dir)
				p.records(t, serving(1), stop())
				victim := filepath.Join(dir, "victim")
				if err := os.Rename(p.path(), victim); err != nil {
					t.Fatal(err)
				}
				precious, err := os.ReadFile(victim)
				if err != nil {
					t.Fatal(err)
				}
				if err := trap(p.path(), victim); err != nil {
					t.Fatal(err)
				}
				if !running {
					p = begin(dir)
				}
				p.records(t, serving(2))
				if now, err := os.ReadFile(victim); err != nil || string(now) != string(precious) {
					t.Errorf("the victim became %q, %v", now, err)
				}
				var stat unix.Stat_t
				if err := unix.Lstat(p.path(), &stat); err != nil || stat.Mode != unix.S_IFREG|0o600 || int(stat.Uid) != os.Geteuid() || stat.Nlink != 1 {
					t.Errorf("mode %o, uid %d, %d links: %v", stat.Mode, stat.Uid, stat.Nlink, err)
				}
				same(t, "written", kept(p.Ring), kept(begin(dir).Ring))
			})
		}
	}
}

// TestUnwritableFileIsReportedOnceAndRetried has a directory in the way of the file.
func TestUnwritableFileIsReportedOnceAndRetried(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := begin(dir)
	obstacle := filepath.Join(p.path(), "obstacle")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	p.Ring.Append(start())
	await(t, func() error { return p.hasWritten("error", 2) })
	if err := os.RemoveAll(p.path()); err != nil {
		t.Fatal(err)
	}
	p.Ring.Append(serving(1))
	await(t, func() error { return p.hasWritten("ok", 1) })
	p.Ring.Append(stop())
	end()
	<-ended
	same(t, "written in the end", []uint64{1, 2, 3}, kept(begin(dir).Ring))
	for _, text := range []string{"cannot write the recorded events", `remedy="free the disk"`, "recorded events are written again"} {
		if n := strings.Count(p.log.String(), text); n != 1 {
			t.Errorf("%q %d times:\n%s", text, n, p.log.String())
		}
	}
}

func await(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-every.C:
		case <-deadline.C:
			t.Fatal(err)
		}
	}
}

func TestDeletedFileIsWrittenAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := begin(dir)
	p.records(t, start())
	if err := os.Remove(p.path()); err != nil {
		t.Fatal(err)
	}
	p.records(t, serving(1))
	same(t, "written", []uint64{1, 2}, kept(begin(dir).Ring))
	if _, err := os.Stat(p.path() + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
