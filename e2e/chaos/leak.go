package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
)

// usage is the resource usage of an idle haproxy-zk.
type usage struct {
	goroutines, descriptors int
	heap                    int // bytes, after a garbage collection
	processes               int // its children, HAProxy's workers
	files                   []string
}

// heapSlack is how much the heap may grow: memory of departed instances, kept for a
// minute or as the last address of a slot, and buffers that have grown once.
const heapSlack = 4 << 20

// measure returns haproxy-zk's current usage.
func (w *world) measure() (u usage, err error) {
	_, metrics, err := w.get("/metrics")
	if err != nil {
		return u, err
	}
	if u.goroutines, err = number(metrics, `(?m)^go_goroutines (\d+)$`); err != nil {
		return u, err
	}
	if u.descriptors, err = number(metrics, `(?m)^process_open_fds (\d+)$`); err != nil {
		return u, err
	}
	profile, err := w.control("/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return u, err
	}
	if u.heap, err = number(profile, `(?m)^# HeapAlloc = (\d+)$`); err != nil {
		return u, err
	}
	children, err := w.running().Descendants()
	if err != nil {
		return u, err
	}
	u.processes = len(children)
	for _, p := range children {
		if p.Zombie() {
			return u, fmt.Errorf("a zombie: %v", p)
		}
	}
	for _, dir := range []string{w.runDir(), w.stateDir(), filepath.Join(w.home, "etc"), filepath.Join(w.home, "logs")} {
		files, err := os.ReadDir(dir)
		if err != nil {
			return u, err
		}
		for _, f := range files {
			u.files = append(u.files, filepath.Join(filepath.Base(dir), f.Name()))
		}
	}
	slices.Sort(u.files)
	return u, nil
}

func number(text, pattern string) (int, error) {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("nothing is like %s in %.200q", pattern, text)
	}
	return strconv.Atoi(found[1])
}

// control sends a request to the control socket.
func (w *world) control(path string) (string, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(w.runDir(), "control.sock"))
		},
	}}
	response, err := client.Get("http://control" + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// leaks waits until the usage is no higher than before. Goroutines and descriptors must
// be equal, as there are as many groups, workers and connections as before.
func (w *world) leaks(ctx context.Context, before usage) (after usage, err error) {
	return after, w.eventually(ctx, "nothing has leaked", func() error {
		if after, err = w.measure(); err != nil {
			return err
		}
		var found []string
		for _, held := range []struct {
			what         string
			before, most int
			after        int
		}{
			{"goroutines", before.goroutines, before.goroutines, after.goroutines},
			{"descriptors", before.descriptors, before.descriptors, after.descriptors},
			{"bytes of the heap", before.heap, before.heap + heapSlack, after.heap},
			{"processes", before.processes, before.processes, after.processes},
		} {
			if held.after > held.most {
				found = append(found, fmt.Sprintf("%d %s, before %d", held.after, held.what, held.before))
			}
		}
		if diff := cmp.Diff(before.files, after.files); diff != "" {
			found = append(found, "files: -before +after\n"+diff)
		}
		if len(found) > 0 {
			return fmt.Errorf("%s", strings.Join(found, "; "))
		}
		return nil
	})
}
