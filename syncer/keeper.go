package syncer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/streak"
)

// node is an ephemeral node to be kept.
type node struct {
	name string
	data []byte
}

// keeper keeps the node of a [Registrar] over one session after another.
type keeper struct {
	parent string
	acl    []zk.ACL
	report func(registered bool)
	log    *slog.Logger
	wake   chan struct{} // receives a token when wanted has changed

	mu     sync.Mutex
	wanted *node  // nil: the node is to be deleted
	name   string // of the node last wanted

	// The rest belongs to the goroutine of run.
	watch   <-chan zk.Event // nil: none is set
	own     map[int64]bool  // the sessions so far
	held    bool            // the node has been this keeper's
	present bool            // reported last
	changed time.Time       // when it was created last
	trouble streak.Streak
	retry   *backoff.ExponentialBackOff
}

func (k *keeper) want(n *node) {
	k.mu.Lock()
	k.wanted = n
	if n != nil {
		k.name = n.name
	}
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// get returns the node that is wanted, or nil, and the name of the node.
func (k *keeper) get() (*node, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wanted, k.name
}

// run implements follower.
func (k *keeper) run(ctx context.Context, t tree, ls *links) {
	k.watch = nil
	ls.each(ctx, func(l *link) { k.follow(ctx, t, l) })
}

// follow keeps the node until the link is lost, the session has expired, or ctx is done.
func (k *keeper) follow(ctx context.Context, t tree, l *link) {
	k.own[l.session] = true
	k.retry.Reset()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.down:
			return
		case event := <-k.watch:
			k.watch = nil
			if event.Err != nil {
				return
			}
		case <-k.wake:
		case <-due.C:
		}
		// A request made while disconnected would only wait in the library.
		if ctx.Err() != nil || l.over() {
			return
		}
		due.Reset(k.step(t, l.session))
	}
}

// step compares the node with what is wanted, changes it if necessary, and returns when to
// look again.
func (k *keeper) step(t tree, session int64) time.Duration {
	wanted, name := k.get()
	if name == "" {
		return jitter(defaultSafetyReread)
	}
	path := k.parent + "/" + name
	found, err := k.look(t, path)
	if err != nil {
		return k.fail(err, path)
	}
	switch {
	case wanted == nil && (found == nil || !k.own[found.EphemeralOwner]):
		return k.settled(false)
	case wanted == nil:
		return k.remove(t, path, found)
	case found == nil:
		return k.create(t, path, wanted.data)
	case found.EphemeralOwner == session:
		return k.settled(true)
	case found.EphemeralOwner == 0:
		return k.persistent(path)
	case k.own[found.EphemeralOwner] || !k.held:
		return k.replace(t, path, wanted.data, found)
	}
	return k.foreign(path, found.EphemeralOwner)
}

// look returns the state of the node, nil if it does not exist, and leaves one watch.
func (k *keeper) look(t tree, path string) (found *zk.Stat, err error) {
	var exists bool
	if k.watch != nil {
		exists, found, err = t.Exists(path)
	} else {
		exists, found, k.watch, err = t.ExistsW(path)
	}
	if err != nil || !exists {
		return nil, err
	}
	return found, nil
}

// settled records that nothing needs to be done, and returns when to look again.
func (k *keeper) settled(registered bool) time.Duration {
	if time.Since(k.changed) >= stable {
		k.retry.Reset()
	}
	k.trouble.Over(time.Now())
	k.tell(registered)
	return jitter(defaultSafetyReread)
}

// tell reports changes, and every time that the node is absent while it is not wanted: the
// caller may have asked for that only now.
func (k *keeper) tell(registered bool) {
	k.held = k.held || registered
	if wanted, _ := k.get(); registered != k.present || wanted == nil && !registered {
		k.present = registered
		k.report(registered)
	}
}

// fail records a failure, logs it once, and returns when to try again.
func (k *keeper) fail(err error, path string) time.Duration {
	if isLoss(err) { // the session logs it
		return k.retry.NextBackOff()
	}
	denied := errors.Is(err, zk.ErrNoAuth)
	if attrs, due := k.trouble.Failed(time.Now(), err.Error()); due {
		hint := "will retry"
		if denied {
			hint = "grant create and delete on its parent, or set ZK_AUTH to a user who has them"
		}
		k.log.With(attrs...).Warn("cannot change the registration, will retry", "path", path, "error", err, "hint", hint)
	}
	if denied {
		return jitter(retryDenied)
	}
	return k.retry.NextBackOff()
}
