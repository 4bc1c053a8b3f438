package register

import (
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// summaryEvery is how often a check that keeps failing is logged.
	summaryEvery = time.Minute
	// maxProblem bounds the text of an error, part of which an application may choose.
	maxProblem = 300
)

// news logs what happens to a registration.
type news struct {
	log   *slog.Logger
	check Check
	rules Rules

	before   state     // of the last result
	failures int       // since the last success
	since    time.Time // of the first of them
	logged   time.Time // when failures were logged last
}

func newNews(log *slog.Logger, check Check, rules Rules) *news {
	return &news{log: log, check: check, rules: rules}
}

func (n *news) located(addr netip.AddrPort) {
	check := n.check.String()
	if check == "" {
		check = "tcp://" + addr.String()
	}
	log := n.log.With("address", addr.String(), "check", check)
	if addr.Addr().IsLoopback() {
		log.Warn("the address is a loopback address, only load balancers on this host can connect to it")
	}
	log.Info("checking the instance before it is registered")
}

// checked is called after each result, with the life that it led to.
func (n *news) checked(err error, l life) {
	defer func() { n.before = l.state }()
	now := time.Now()
	if err == nil {
		switch {
		case n.before == failing && l.state == registered:
			n.log.Info("check passes again, registering", "failures", n.failures, "took", now.Sub(n.since).Round(time.Millisecond))
		case n.before == waiting && l.state == registered:
			n.log.Info("check passed, registering", "failures", n.failures)
		}
		n.failures = 0
		return
	}
	if n.failures++; n.failures == 1 {
		n.since = now
	}
	problem := short(err)
	switch {
	case n.before == registered && l.state == failing:
		n.log.Warn("check failed, deregistering until it passes", "failures", n.failures, "problem", problem)
		n.logged = now
	case l.state == waiting && n.failures == 1:
		n.log.Info("check does not pass yet, waiting", "problem", problem)
		n.logged = now
	case (l.state == waiting || l.state == failing) && now.Sub(n.logged) >= summaryEvery:
		n.log.Warn("check still fails, not registered", "failures", n.failures, "for", now.Sub(n.since).Round(time.Second), "problem", problem)
		n.logged = now
	default:
		n.log.Debug("check failed", "failures", n.failures, "problem", problem)
	}
}

func short(err error) string {
	text := err.Error()
	if len(text) > maxProblem {
		text = text[:maxProblem] + "..."
	}
	return text
}

// signaled is called after a signal, with the states before and after it.
func (n *news) signaled(sig unix.Signal, before state, l life) {
	log := n.log.With("signal", unix.SignalName(sig))
	switch {
	case before == l.state:
		log.Debug("signal forwarded")
	case l.state == deregistering:
		log.Info("stopping, deregistering first", "drain", n.rules.Drain)
	case before <= failing:
		log.Info("stopping, not registered")
	default:
		log.Info("stopping at once")
	}
}

// expired is called when a state has lasted too long.
func (n *news) expired(s state) {
	switch s {
	case deregistering, leaving:
		n.log.Warn("cannot deregister, ZooKeeper does not answer: the node stays until the session expires")
	case terminating:
		n.log.Warn("the command did not stop in time, killing it and its process group", "grace", n.rules.Grace)
	case killing:
		n.log.Error("the command did not end after SIGKILL, leaving it behind")
	}
}

func (n *news) ended(code int, l life) {
	if l.stop == 0 {
		n.log.Warn("the command ended by itself, deregistering", "code", code)
		return
	}
	n.log.Info("the command ended", "code", code)
}
