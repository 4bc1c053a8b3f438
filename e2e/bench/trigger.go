package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// trigger makes haproxy-zk reload, by SIGUSR2.
type trigger struct {
	daemon *rig.Daemon
	url    string
}

// reload triggers one reload in a window, and verifies that it succeeded.
func (t *trigger) reload(ctx context.Context) error {
	before, err := t.count(ctx)
	if err != nil {
		return err
	}
	if err := t.daemon.Signal(unix.SIGUSR2); err != nil {
		return err
	}
	if err := pause(ctx); err != nil {
		return err
	}
	return rig.Eventually(ctx, 5*time.Second, func() error {
		n, err := t.count(ctx)
		if err == nil && n == before {
			err = errors.New("no reload")
		}
		return err
	})
}

// count returns how many successful reloads haproxy-zk has counted, not including the
// start.
func (t *trigger) count(ctx context.Context) (n int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(name, "haproxyzk_reloads_total{") || !strings.Contains(name, `result="ok"`) || strings.Contains(name, `cause="start"`) {
			continue
		}
		several := 0
		if _, err := fmt.Sscan(value, &several); err != nil {
			return 0, err
		}
		n += several
	}
	return n, nil
}
