package chaos

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// explainable bounds the share of requests that killed processes may cost: one in this
// many.
const explainable = 20

// TestChaos takes CHAOS_SECONDS (60), divided among the HAProxys, and CHAOS_SEED
// (random). Nothing is killed in the first third of each run.
func TestChaos(t *testing.T) {
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv("CHAOS_SECONDS"), "60"))
	if err != nil || seconds < 1 {
		t.Fatalf("CHAOS_SECONDS %q: it is a number from 1 on", os.Getenv("CHAOS_SECONDS"))
	}
	seed := rand.Uint64N(1 << 32)
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	again := fmt.Sprintf("make chaos SECONDS=%d SEED=%d", seconds, seed)
	fmt.Println(again)
	t.Cleanup(func() {
		if t.Failed() {
			fmt.Println("to repeat it:", again)
		}
	})

	haproxies, err := rig.HAProxies()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := rig.Build(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	ensemble, err := rig.StartEnsemble(t.Context(), t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ensemble.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, h := range haproxies {
		t.Run(h.Name, func(t *testing.T) {
			w, err := newWorld(h, ensemble, binary)
			if w != nil {
				t.Cleanup(func() {
					if err := w.close(); err != nil {
						t.Error(err)
					}
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			run(t, w, seed, time.Duration(seconds)*time.Second/time.Duration(len(haproxies)))
		})
	}
}

func run(t *testing.T, w *world, seed uint64, total time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			w.logFailure(t)
			t.Fatal(err)
		}
	}
	fatal(w.start(ctx))
	fatal(reloadDaemon(ctx, w, step{})) // one-time allocations are made
	fatal(w.quiet(ctx))
	before, err := w.measure()
	fatal(err)

	http, err := w.drive(ctx, rig.LoadOptions{Addr: w.config.Listener(), KeepAlive: 6, Fresh: 4, Targets: []rig.Target{
		{Path: "/", App: shop}, {Path: "/base/x", App: base}, {Path: "/blog/x", App: blog}, {Path: "/slow?ms=200", App: shop},
	}})
	fatal(err)
	tcp, err := w.drive(ctx, rig.LoadOptions{Addr: loopback(w.queuePort), Fresh: 2, Targets: []rig.Target{{Path: "/", App: queue}}})
	fatal(err)
	var plan [][]step
	for _, l := range lanes() {
		plan = append(plan, l.draw(seed, total/3, total))
	}
	w.disturb(ctx, plan, total, func(err error) { t.Error(err) })
	t.Logf("all faults are over at %s", w.journal.since(time.Now()))
	if err := w.quiet(ctx); err != nil {
		t.Error(err)
	}
	t.Logf("quiet at %s", w.journal.since(time.Now()))
	t.Logf("http: %s", http.Stop())
	t.Logf("tcp: %s", tcp.Stop())
	after, err := w.leaks(ctx, before)
	if err != nil {
		t.Error(err)
	}
	t.Logf("before: %+v", before)
	t.Logf("after: %+v", after)
	if err := w.stop(ctx); err != nil {
		t.Error(err)
	}
	judge(t, w, http.Result().Requests+tcp.Result().Requests)
	if t.Failed() {
		w.logFailure(t)
	}
}

func judge(t *testing.T, w *world, requests int) {
	t.Helper()
	unexplained, explained := w.oracle.judge()
	for _, f := range unexplained {
		t.Errorf("lost without a reason: %s; meanwhile %v", describe(f, w.journal.since), w.journal.active(f.At, f.Ended))
	}
	sum := 0
	for d, n := range explained {
		sum += n
		t.Logf("%s at %s, over at %s: %d requests", d.what, w.journal.since(d.at), w.journal.since(d.over), n)
	}
	t.Logf("%d requests, %d lost, %d of them explained by %d deaths", requests, sum+len(unexplained), sum, len(w.oracle.deaths))
	for _, what := range w.oracle.slow() {
		t.Error(what)
	}
	for _, what := range w.sane() {
		t.Error(what)
	}
	if sum*explainable > requests {
		t.Errorf("%d of %d requests were lost: more than one in %d", sum, requests, explainable)
	}
}

// logFailure logs the details of a failed run.
func (w *world) logFailure(t *testing.T) {
	t.Helper()
	t.Logf("the faults:\n%s", &w.journal)
	for _, l := range w.transcript.find(func(line) bool { return true }) {
		t.Logf("%s %s", w.journal.since(l.read), l.text)
	}
}
