package register

import (
	"time"

	"golang.org/x/sys/unix"
)

// state is a stage of the life of a registration.
//
//	waiting ─▶ registered ◀─▶ failing
//	   └─────────────┴───────────┘
//	               ▼ a stop is requested
//	deregistering ─▶ draining ─▶ terminating ─▶ killing ─▶ done
//
// A command that ends by itself leads through leaving to done.
type state int

const (
	waiting       state = iota // the check has not passed yet
	registered                 // the check passes, the node is wanted
	failing                    // the check has failed too often, the node is not wanted
	deregistering              // a stop was requested, the node is being deleted
	draining                   // the node is gone, requests may still arrive
	terminating                // the command was asked to stop
	killing                    // the command was sent SIGKILL
	leaving                    // the command has ended, the node is being deleted
	done
)

func (s state) String() string {
	return [...]string{"waiting", "registered", "failing", "deregistering", "draining", "terminating", "killing", "leaving", "done"}[s]
}

// deed is something to be done.
type deed int

const (
	register   deed = iota // create the node
	deregister             // delete it
	forward                // send the signal to the command
	kill                   // end the command
	exit                   // with the life's code
)

// action is a deed with the signal to forward.
type action struct {
	deed deed
	sig  unix.Signal
}

// life decides what happens to a registration. It does nothing by itself and has no clock:
// each event has a method, which returns what is to be done now, and due says when expired
// is to be called.
type life struct {
	rules Rules
	// commanded is true if there is a command.
	commanded bool

	state state
	// passes and failures count the latest results of the check.
	passes, failures int
	// absent is when the node was last reported to be gone after it was wanted; zero while it
	// may exist.
	absent time.Time
	stop   unix.Signal // that requested the stop
	// due is the end of the state; zero is never.
	due  time.Time
	code int // exit code
}

// passed is called when the check has passed.
func (l *life) passed() []action {
	l.failures = 0
	l.passes++
	switch l.state {
	case waiting, failing:
		if l.passes >= l.rules.Passes {
			l.state, l.absent = registered, time.Time{}
			return []action{{deed: register}}
		}
	}
	return nil
}

// failed is called when the check has failed.
func (l *life) failed() []action {
	l.passes = 0
	l.failures++
	if l.state == registered && l.failures >= l.rules.Failures {
		l.state = failing
		return []action{{deed: deregister}}
	}
	return nil
}

// gone is called when the node is known to be deleted.
func (l *life) gone(now time.Time) []action {
	switch l.state {
	case failing:
		l.absent = now
	case deregistering:
		l.absent = now
		return l.drain(now)
	case leaving:
		return l.end()
	}
	return nil
}

// signaled is called for every signal. TERM and INT request a stop, again they end the
// wait before the command gets one; others, and later ones, are passed on.
func (l *life) signaled(sig unix.Signal, now time.Time) []action {
	stops := sig == unix.SIGTERM || sig == unix.SIGINT
	switch l.state {
	case waiting, registered, failing:
		if stops {
			l.stop = sig
			return l.leave(now)
		}
	case deregistering, draining:
		if stops {
			return l.terminate(now)
		}
	case leaving:
		if stops {
			return l.end()
		}
		return nil // there is no command any more
	case done:
		return nil
	}
	return []action{{forward, sig}}
}

// leave begins a stop that was requested.
func (l *life) leave(now time.Time) []action {
	switch {
	case l.state == waiting: // it has had no requests
		return l.terminate(now)
	case l.state == failing && !l.absent.IsZero():
		return l.drain(now)
	}
	l.state, l.due = deregistering, now.Add(l.rules.Patience)
	return []action{{deed: deregister}}
}

// drain waits until clients have noticed that the node is gone.
func (l *life) drain(now time.Time) []action {
	l.state, l.due = draining, now.Add(l.rules.Drain)
	if !l.absent.IsZero() {
		l.due = l.absent.Add(l.rules.Drain)
	}
	if !now.Before(l.due) {
		return l.terminate(now)
	}
	return nil
}

// terminate asks the command to stop.
func (l *life) terminate(now time.Time) []action {
	if !l.commanded {
		return l.end()
	}
	l.state, l.due = terminating, now.Add(l.rules.Grace)
	return []action{{forward, l.stop}}
}

// expired is called once the time due has come.
func (l *life) expired(now time.Time) []action {
	switch l.state {
	case deregistering: // ZooKeeper does not answer
		return l.drain(now)
	case draining:
		return l.terminate(now)
	case terminating:
		l.state, l.due = killing, now.Add(l.rules.Patience)
		return []action{{deed: kill}}
	case killing: // not even that ends it
		l.code = exitKilled
		return l.end()
	case leaving:
		return l.end()
	}
	return nil
}

// exitKilled is the exit code of a command that SIGKILL has ended.
const exitKilled = 128 + int(unix.SIGKILL)

// ended is called when the command has ended.
func (l *life) ended(code int, now time.Time) []action {
	l.code = code
	switch l.state {
	case registered, deregistering:
		l.state, l.due = leaving, now.Add(l.rules.Patience)
		return []action{{deed: deregister}}
	case failing:
		if l.absent.IsZero() {
			l.state, l.due = leaving, now.Add(l.rules.Patience)
			return nil
		}
	}
	return l.end()
}

func (l *life) end() []action {
	l.state, l.due = done, time.Time{}
	return []action{{deed: exit}}
}
