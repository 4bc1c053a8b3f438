package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// trigger makes haproxy-zk reload, by SIGUSR2.
type trigger struct {
	daemon *rig.Daemon
	config *rig.SeedConfig
	url    string
	done   int
}

// reloadOften has reloads one after the other, each once the last one's HAProxy
// was started.
func (t *trigger) reloadOften(ctx context.Context) error {
	before, err := os.ReadFile(t.config.PIDFile())
	if err != nil {
		return err
	}
	for range reloadsPerWindow {
		if err := t.daemon.Signal(unix.SIGUSR2); err != nil {
			return err
		}
		t.done++
		err := rig.Eventually(ctx, window, func() error {
			now, err := os.ReadFile(t.config.PIDFile())
			switch {
			case err != nil:
				return err
			case len(now) == 0, bytes.Equal(now, before):
				return errors.New("no reload")
			}
			before = now
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reloads is how many haproxy-zk counts as good, once all are over. The start
// is none.
func (t *trigger) reloads(ctx context.Context) (n int, err error) {
	err = rig.Eventually(ctx, 5*time.Second, func() error {
		if n, err = t.count(ctx); err == nil && n < t.done {
			err = fmt.Errorf("%d of %d reloads succeeded", n, t.done)
		}
		return err
	})
	return n, err
}

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
