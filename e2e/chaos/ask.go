package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// pace is the delay after an unexpected answer before the next attempt: many wait at
// the same time.
const pace = 40 * time.Millisecond

// eventually waits until check succeeds, whatever other faults are active.
func (w *world) eventually(ctx context.Context, what string, check func() error) error {
	err := rig.Eventually(ctx, settles, func() error {
		err := check()
		if err != nil {
			<-time.After(pace)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// each checks which instances take requests for a group in every worker.
func (w *world) each(group string, check func(serving []string) error) error {
	for _, socket := range w.config.Sockets() {
		servers, err := rig.ServersState(socket)
		if err != nil {
			return err
		}
		if err := check(rig.Serving(servers, group)); err != nil {
			return fmt.Errorf("worker behind %s: %w", filepath.Base(socket), err)
		}
	}
	return nil
}

// get requests a path from haproxy-zk.
func (w *world) get(path string) (status int, body string, err error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + w.http + path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// condition is haproxy-zk's state in /readyz.
type condition struct {
	ZooKeeper, Problem string
	Recalled, Waiting  []string
	Generations        []struct {
		PIDs     []int
		Draining bool
	}
	Held, Damped map[string][]string
	Operator     map[string]map[string]string
}

func (w *world) condition() (c condition, err error) {
	status, body, err := w.get("/readyz")
	if err != nil {
		return c, err
	}
	var document struct{ Proxies map[string]condition }
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		return c, fmt.Errorf("readyz: %s: %w", body, err)
	}
	if status != http.StatusOK {
		return c, fmt.Errorf("readyz: %d %s", status, body)
	}
	return document.Proxies[w.config.Proxy], nil
}

func (w *world) ready(ctx context.Context) error {
	return w.eventually(ctx, "ready", func() error {
		_, err := w.condition()
		return err
	})
}
