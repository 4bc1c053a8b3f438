package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxRefusals is the maximum number of rejected instances reported individually.
const maxRefusals = 10

// refusals collects the instances that may not serve.
type refusals struct {
	check func(registry.Instance) error
	// key is the proxy's key where the instances are from.
	key string

	mu  sync.Mutex
	why map[registry.Instance]error
}

func (r *refusals) admit(i registry.Instance) error {
	err := r.check(i)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.why == nil {
			r.why = make(map[registry.Instance]error)
		}
		r.why[i] = err
	}
	return err
}

func (r *refusals) judge(p config.Proxy) (found []finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.SortedFunc(maps.Keys(r.why), func(a, b registry.Instance) int { return cmp.Compare(a.String(), b.String()) })
	for _, i := range all[:min(len(all), maxRefusals)] {
		found = append(found, finding{
			Proxy: p.Name, Severity: isWarning, Where: p.Name + r.key,
			Text:   fmt.Sprintf("instance %s is skipped: %v", i, r.why[i]),
			Remedy: "deregister it, or change allow_networks or deny_networks if they reject it",
		})
	}
	if more := len(all) - maxRefusals; more > 0 {
		found = append(found, finding{Proxy: p.Name, Severity: isWarning, Where: p.Name + r.key, Text: fmt.Sprintf("%d more instances are skipped", more)})
	}
	return found
}
