package stats

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// fakeWorker answers on a stats socket like a HAProxy process.
type fakeWorker struct {
	registry.Worker

	mu sync.Mutex
	// stat is the reply to show stat, without the header.
	stat string
	// others is how many of the next connections another process answers.
	others int
	// hang is true while it accepts and does not answer.
	hang  bool
	asked int
}

const header = "# pxname,svname,qcur,scur,slim,stot,bin,bout,dreq,econ,status,weight,chkfail,type,rtime,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,req_tot,addr,\n"

// startWorker starts a fake worker with a group web of one instance.
func startWorker(tb testing.TB, pid int) *fakeWorker {
	tb.Helper()
	dir, err := os.MkdirTemp("", "hz-") // the path of a unix socket is limited
	if err != nil {
		tb.Fatal(err)
	}
	w := &fakeWorker{Worker: registry.Worker{PID: pid, Socket: filepath.Join(dir, "s.sock")}}
	w.had(1)
	l, err := net.Listen("unix", w.Socket)
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	ctx := tb.Context()
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { w.serve(ctx, conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		serving.Wait()
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return w
}

func (w *fakeWorker) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	w.mu.Lock()
	w.asked++
	hang, stat, pid := w.hang, w.stat, w.PID
	if w.others > 0 {
		w.others, pid = w.others-1, 1
	}
	w.mu.Unlock()
	if hang {
		<-ctx.Done()
		return
	}
	for request := range strings.SplitSeq(strings.TrimSpace(line), ";") {
		reply := "Unknown command."
		switch request {
		case "show stat -1 7 -1":
			reply = stat
		case "show stat web 6 -1", "show stat other 6 -1", "show stat fe 6 -1":
			reply = header
			for line := range strings.Lines(stat) {
				if strings.HasPrefix(line, strings.Fields(request)[2]+",") && !strings.Contains(line, ",FRONTEND,") {
					reply += line
				}
			}
		case "show info":
			reply = fmt.Sprintf("Name: HAProxy\nPid: %d\n", pid)
		}
		if _, err := conn.Write([]byte(strings.TrimSuffix(reply, "\n") + "\n\n")); err != nil {
			return
		}
	}
}

// replies sets the reply to show stat, without the header.
func (w *fakeWorker) replies(stat string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stat = header + stat
}

// had sets the number of requests so far: those of a frontend, of the group web and of its
// instance.
func (w *fakeWorker) had(n int) {
	w.replies(fmt.Sprintf(`fe,FRONTEND,,1,1000,%d,10,20,3,,OPEN,,,0,,0,%d,0,0,0,0,%d,,
web,BACKEND,0,1,100,%d,10,20,0,0,UP,1,,1,5,0,%d,0,0,0,0,%d,,
web,web1,0,1,,%d,10,20,,0,UP,1,2,2,5,0,%d,0,0,0,0,,10.0.0.1:80,
web,web2,0,0,,0,0,0,,0,MAINT,1,0,2,0,0,0,0,0,0,0,,0.0.0.0:0,
other,BACKEND,0,0,100,0,0,0,0,0,UP,1,,1,0,0,0,0,0,0,0,0,,
`, n, n, n, n, n, n, n, n))
}

func (w *fakeWorker) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *fakeWorker) times() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// fakeFleet is a proxy with fake workers.
type fakeFleet struct {
	mu      sync.Mutex
	workers []registry.Worker
}

func (f *fakeFleet) Workers() []registry.Worker {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.workers
}

func (f *fakeFleet) Snapshot() *registry.Snapshot { return meant(1) }

func (f *fakeFleet) serve(workers ...*fakeWorker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.workers = nil
	for _, w := range workers {
		f.workers = append(f.workers, w.Worker)
	}
}

// collector returns a collector of fake workers, with a clock of its own.
func (f *fakeFleet) collector(reg prometheus.Registerer) (c *Collector, passes func(time.Duration)) {
	var mu sync.Mutex
	var passed time.Duration
	c = New(Options{
		Proxy: "p", Timeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(reg),
		clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(passed) },
	})
	c.Follow(f)
	return c, func(d time.Duration) { mu.Lock(); defer mu.Unlock(); passed += d }
}
