package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// trigger makes haproxy-zk reload: by SIGUSR2 if its help names that, else by
// more instances than a group has slots, one group after the other.
type trigger struct {
	daemon   *rig.Daemon
	registry *rig.Registry
	config   *rig.SeedConfig
	url      string
	signals  bool
	done     int
}

// growing are groups of one slot, which get no requests.
func growing(n int) []rig.Group {
	var groups []rig.Group
	for i := range n {
		name := fmt.Sprintf("grow%d", i)
		groups = append(groups, rig.Group{
			Name: name, ACLs: []string{"path_beg /" + name}, MaxServer: 1,
			ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled",
		})
	}
	return groups
}

func newTrigger(ctx context.Context, daemon *rig.Daemon, registry *rig.Registry, config *rig.SeedConfig, url string) (*trigger, error) {
	binary, err := rig.Build(ctx, false)
	if err != nil {
		return nil, err
	}
	help, err := exec.CommandContext(ctx, binary, "--help").Output()
	if err != nil {
		return nil, err
	}
	return &trigger{
		daemon: daemon, registry: registry, config: config, url: url,
		signals: strings.Contains(string(help), "USR2"),
	}, nil
}

// reloadOften has reloads one after the other, each once the last one's HAProxy
// was started.
func (t *trigger) reloadOften(ctx context.Context) error {
	before, err := os.ReadFile(t.config.PIDFile())
	if err != nil {
		return err
	}
	for range reloadsPerWindow {
		if err := t.pull(); err != nil {
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

func (t *trigger) pull() error {
	if t.signals {
		return t.daemon.Signal(unix.SIGUSR2)
	}
	node := fmt.Sprintf("/bench/grow%d", t.done)
	return errors.Join(t.registry.Register(node, "127.0.0.1:1"), t.registry.Register(node, "127.0.0.1:2"))
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
