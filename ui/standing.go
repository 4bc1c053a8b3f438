package ui

import "cmp"

// tone is a color, and the class of an element in style.css.
type tone string

const (
	good tone = "good"
	info tone = "info"
	warn tone = "warn"
	bad  tone = "bad"
)

// remark is a word about a group.
type remark struct {
	// Word is a key of the words, Count what goes with it; 0 is nothing.
	Word  string
	Count int
	Tone  tone
}

// A share of errors from which a group is remarked on, and is bad.
const (
	someErrors = 0.01
	manyErrors = 0.05
)

// remarks returns what is to be said of a group, the worst first.
func (g *Group) remarks() (all []remark) {
	add := func(is bool, word string, count int, t tone) {
		if is {
			all = append(all, remark{word, count, t})
		}
	}
	add(g.Outage, "no_instance_up", 0, bad)
	add(g.Down > 0 && !g.Outage, "n_down", g.Down, bad)
	add(g.Full, "full", 0, bad)
	add(g.Share >= manyErrors, "remark_errors", 0, bad)
	add(g.Held > 0, "n_held", g.Held, warn)
	add(g.Share >= someErrors && g.Share < manyErrors, "remark_errors", 0, warn)
	add(g.Unread, "not_read", 0, warn)
	add(g.Recalled, "recalled", 0, warn)
	add(g.Waiting > 0, "n_waiting", g.Waiting, warn)
	add(g.Different > 0, "n_differ", g.Different, warn)
	add(g.Queue > 0, "queueing", 0, warn)
	add(g.unusable() > 0, "n_unusable", g.unusable(), warn)
	add(g.Registered == 0 && g.Held == 0 && !g.Unread, "no_instances", 0, warn)
	add(g.Changed > 0, "n_changed", g.Changed, info)
	add(g.Starting > 0, "n_starting", g.Starting, info)
	return all
}

// unusable returns the number of children in ZooKeeper that are remarked on.
func (g *Group) unusable() (n int) {
	for _, f := range g.Findings {
		n += max(1, f.Count)
	}
	return n
}

// standing orders groups: it is higher for a worse group. It changes rarely, so that rows
// keep their places while numbers change.
func (g *Group) standing() int {
	all := g.remarks()
	if len(all) == 0 {
		return 0
	}
	worst := all[0]
	rank := map[tone]int{info: 10, warn: 20, bad: 30}[worst.Tone]
	if worst.Word == "no_instances" {
		rank = 15
	}
	if worst.Word == "no_instance_up" {
		rank = 40
	}
	return rank
}

// troubled reports whether a group is among the problems.
func (g *Group) troubled() bool { return g.standing() >= 20 }

// byName orders groups by name, then proxy.
func byName(a, b *Group) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Proxy, b.Proxy))
}
