package chaos

import (
	"errors"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// at returns a moment of a run, in milliseconds.
func at(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }

func lost(from, to int, change func(*rig.Failure)) rig.Failure {
	f := rig.Failure{At: at(from), Ended: at(to), Target: rig.Target{Path: "/", App: shop}, Err: errors.New("lost")}
	if change != nil {
		change(&f)
	}
	return f
}

func TestFailuresExplainedByADeath(t *testing.T) {
	kept := func(worker string) func(*rig.Failure) {
		return func(f *rig.Failure) { f.Kept, f.Worker = true, worker }
	}
	answered := func(status int) func(*rig.Failure) { return func(f *rig.Failure) { f.Status = status } }
	by := func(instance string, status int) func(*rig.Failure) {
		return func(f *rig.Failure) { f.Instance, f.Status = instance, status }
	}
	// Worker 7 was stopped at 1,000, ended at 6,000, replaced at 6,200; instance a
	// crashed at 1,000 and was removed at 5,000.
	worker := death{worker: 7, at: at(1000), gone: at(6000), over: at(6200)}
	only := worker
	only.alone = true
	instance := death{instance: "a", group: shop, at: at(1000), over: at(5000)}
	running := death{worker: 7, at: at(1000), alone: true}
	for name, test := range map[string]struct {
		death death
		lost  rig.Failure
		want  bool
	}{
		"its connection":                         {worker, lost(900, 6000, kept("7")), true},
		"its connection, found later":            {worker, lost(6500, 6500, kept("7")), true},
		"its connection, found much later":       {worker, lost(7100, 7100, kept("7")), false},
		"its connection, lost before":            {worker, lost(900, 999, kept("7")), false},
		"another worker's connection":            {worker, lost(900, 6000, kept("8")), false},
		"a new connection that was there":        {worker, lost(990, 6000, nil), true},
		"a new connection beside other workers":  {worker, lost(1001, 6000, nil), false},
		"a new connection to the only one":       {only, lost(5900, 6001, nil), true},
		"refused until it was replaced":          {only, lost(6190, 6191, nil), true},
		"refused when it was replaced":           {only, lost(6201, 6202, nil), false},
		"refused before the end was noticed":     {running, lost(2000, 2001, nil), false},
		"an answer from nowhere":                 {only, lost(1000, 2000, answered(503)), false},
		"the wrong application's answer":         {only, lost(1000, 2000, answered(200)), false},
		"cut on the instance":                    {instance, lost(900, 1000, by("a", 502)), true},
		"sent to the instance later":             {instance, lost(4900, 8000, by("a", 503)), true},
		"sent to the instance when it was out":   {instance, lost(5001, 8000, by("a", 503)), false},
		"sent to another instance":               {instance, lost(1100, 1200, by("b", 503)), false},
		"cut, the instance is not known":         {instance, lost(900, 1000, nil), true},
		"another application":                    {instance, lost(900, 1000, func(f *rig.Failure) { f.App = base }), false},
		"answered wrongly by the instance's app": {instance, lost(1100, 1200, by("a", 200)), false},
		"before it crashed":                      {instance, lost(100, 900, by("a", 502)), false},
	} {
		if got := test.death.explains(test.lost); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestJudgeCountsExplainedFailures(t *testing.T) {
	var o oracle
	d := o.addDeath(death{worker: 7, alone: true})
	o.update(d, func(d *death) { d.at, d.gone, d.over = at(1000), at(1000), at(1200) })
	never := o.addDeath(death{worker: 8, alone: true})
	o.removeDeath(never)
	o.addLoss(lost(1100, 1101, nil))
	o.addLoss(lost(1300, 1301, nil))
	unexplained, explained := o.judge()
	if len(unexplained) != 1 || !unexplained[0].At.Equal(at(1300)) || len(explained) != 1 || explained[d] != 1 {
		t.Errorf("unexplained %v, explained %v", unexplained, explained)
	}
}
