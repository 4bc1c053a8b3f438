package syncer

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
)

// create creates the node, and its parents if necessary.
func (k *keeper) create(t tree, path string, data []byte) time.Duration {
	if time.Since(k.changed) < stable { // somebody deletes it again and again
		k.changed = time.Time{}
		return k.retry.NextBackOff()
	}
	_, err := t.Create(path, data, zk.FlagEphemeral, k.acl)
	if errors.Is(err, zk.ErrNoNode) {
		if err = ensure(t, k.parent, k.acl); err == nil {
			_, err = t.Create(path, data, zk.FlagEphemeral, k.acl)
		}
	}
	switch {
	case errors.Is(err, zk.ErrNodeExists):
		return k.retry.NextBackOff() // created since it was looked for
	case err != nil:
		return k.fail(fmt.Errorf("create %s: %w", path, err), path)
	}
	k.log.Info("registered", "path", path)
	k.changed = time.Now()
	k.tell(true)
	return 0 // to set the watch on it
}

// replace replaces the node of another session. The name is never missing.
func (k *keeper) replace(t tree, path string, data []byte, found *zk.Stat) time.Duration {
	_, err := t.Multi(
		&zk.DeleteRequest{Path: path, Version: found.Version},
		&zk.CreateRequest{Path: path, Data: data, Acl: k.acl, Flags: zk.FlagEphemeral})
	switch {
	case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrNodeExists), errors.Is(err, zk.ErrBadVersion):
		return k.retry.NextBackOff() // changed since it was looked for
	case err != nil:
		return k.fail(fmt.Errorf("replace %s: %w", path, err), path)
	}
	k.log.Info("registered, replacing the node of another session", "path", path, "session", fmt.Sprintf("%#x", found.EphemeralOwner))
	k.changed = time.Now()
	k.tell(true)
	return 0
}

// remove deletes the node.
func (k *keeper) remove(t tree, path string, found *zk.Stat) time.Duration {
	err := t.Delete(path, found.Version)
	switch {
	case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrBadVersion):
		return k.retry.NextBackOff()
	case err != nil:
		return k.fail(fmt.Errorf("delete %s: %w", path, err), path)
	}
	k.log.Info("deregistered", "path", path)
	return k.settled(false)
}

// persistent handles a node that no session owns: somebody else has created it, and has to
// delete it.
func (k *keeper) persistent(path string) time.Duration {
	k.tell(false)
	if attrs, due := k.trouble.Failed(time.Now(), "persistent"); due {
		k.log.With(attrs...).Warn("a node of this name is not ephemeral, it stays when the instance dies; waiting until it is deleted", "path", path)
	}
	return jitter(defaultSafetyReread)
}

// foreign handles a node that another session took over: two registrars that take it from
// each other would never end.
func (k *keeper) foreign(path string, owner int64) time.Duration {
	k.tell(false)
	if attrs, due := k.trouble.Failed(time.Now(), "another registrar"); due {
		k.log.With(attrs...).Error("another registrar registers the same address, waiting until it deregisters; stop one of them", "path", path, "session", fmt.Sprintf("%#x", owner))
	}
	return jitter(defaultSafetyReread)
}
