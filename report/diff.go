package report

import (
	"context"
	"fmt"
	"slices"

	"github.com/aymanbagabas/go-udiff"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// Intended is the configuration of HAProxy that a proxy is to have.
type Intended struct {
	Proxy string
	// Like returns it with the groups and instances of a running one.
	Like func(running string, groups []string) []byte
}

// Diff writes to a page what would change in the configurations that run, without secrets.
func Diff(ctx context.Context, port Port, p *terminal.Page, all []Intended) error {
	known, _, err := find(ctx, port, Name{})
	if err != nil {
		return err
	}
	for _, one := range all {
		groups, runs := known[one.Proxy]
		if !runs {
			p.Line(terminal.Warning, "", fmt.Sprintf("%s does not run: a reload would start it", one.Proxy))
			continue
		}
		path := Name{Proxy: one.Proxy, Group: "config"}.Path()
		if _, hidden := groups["config"]; hidden {
			return fmt.Errorf("%s is a group, which hides the configuration of the proxy", path)
		}
		answer, err := port.Get(ctx, path)
		if err != nil {
			return err
		}
		if err := answer.Refusal(); err != nil {
			return fmt.Errorf("%s is %w", path, err)
		}
		running := string(answer.Body)
		intended := string(haproxy.Mask(one.Like(running, sortedKeys(groups))))
		if text := udiff.Unified(one.Proxy+" as it runs", one.Proxy+" after a reload", running, intended); text != "" {
			p.Diff(text)
		} else {
			p.Line(terminal.Good, "", fmt.Sprintf("%s: a reload would change nothing in HAProxy's configuration", one.Proxy))
		}
	}
	for _, proxy := range sortedKeys(known) {
		if !slices.ContainsFunc(all, func(one Intended) bool { return one.Proxy == proxy }) {
			p.Line(terminal.Warning, "", fmt.Sprintf("%s is not in the configuration: a reload would stop it", proxy))
		}
	}
	return nil
}
