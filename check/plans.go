package check

import (
	"context"
	"errors"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// Plans returns the plans of all proxies that can be planned. Its error has one line
// for each problem of the others, as check reports them, and is an
// [exitcode.UsageError] if a human has to fix it.
func Plans(ctx context.Context, o plan.Options, cfg *config.Config) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	var problems []error
	for _, p := range cfg.Proxies {
		pl, err := plan.New(ctx, o, p)
		if err != nil {
			wrong := asFound(judgePlan(p, err))
			if exitcode.Of(err) == exitcode.Usage {
				wrong = exitcode.NewUsageError(wrong)
			}
			problems = append(problems, wrong)
			continue
		}
		plans = append(plans, pl)
	}
	return plans, errors.Join(problems...)
}
