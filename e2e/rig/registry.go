package rig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// registryPatience bounds a call while ZooKeeper is unavailable.
const registryPatience = 10 * time.Second

// Registry is an application's view of ZooKeeper: one session that registers and
// unregisters. A call that loses the connection is retried, as applications do; while
// ZooKeeper is unavailable a call fails after some 10 s. Registrations are not repeated
// after the session has expired.
type Registry struct {
	conn *zk.Conn
	tls  *tls.Config   // nil: no TLS
	done chan struct{} // closed when the session's goroutine has ended

	mu      sync.Mutex
	wire    net.Conn
	crashed bool
}

// ConnectRegistry opens a session at addr (`host:port`, several separated by commas)
// and waits until it is established. The server adjusts the session timeout to its
// limits, 400 ms to 60 s for [StartZooKeeper].
func ConnectRegistry(ctx context.Context, addr string, timeout time.Duration) (*Registry, error) {
	return connect(ctx, addr, timeout, nil)
}

func connect(ctx context.Context, addr string, timeout time.Duration, secure *tls.Config) (*Registry, error) {
	r := &Registry{tls: secure, done: make(chan struct{})}
	conn, events, err := zk.Connect(strings.Split(addr, ","), timeout,
		zk.WithDialer(r.dial), zk.WithHostProvider(new(hosts)), zk.WithLogger(silence{}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("connect to zookeeper: %w", err)
	}
	r.conn = conn
	session := make(chan struct{})
	go func() {
		defer close(r.done)
		open := sync.OnceFunc(func() { close(session) })
		for event := range events {
			if event.State == zk.StateHasSession {
				open()
			}
		}
	}()
	select {
	case <-session:
		return r, nil
	case <-ctx.Done():
		r.Close()
		return nil, fmt.Errorf("connect to zookeeper at %s: %w", addr, ctx.Err())
	}
}

func (r *Registry) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := dialWith(r.tls, network, address, timeout)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.crashed {
		conn.Close()
		return nil, net.ErrClosed
	}
	r.wire = conn
	return &impatient{Conn: conn}, nil
}

// impatient waits at most a second for a first answer, where the library waits for ten
// receive timeouts. A ZooKeeper that is just starting never answers a connection, nor
// closes it: NIOServerCnxn.close fails without a database.
type impatient struct {
	net.Conn
	heard bool // the library sets deadlines in the goroutine that reads
}

// SetReadDeadline implements [net.Conn].
func (i *impatient) SetReadDeadline(t time.Time) error {
	if soon := time.Now().Add(time.Second); !i.heard && t.After(soon) {
		t = soon
	}
	return i.Conn.SetReadDeadline(t)
}

// Read implements [net.Conn].
func (i *impatient) Read(p []byte) (int, error) {
	n, err := i.Conn.Read(p)
	i.heard = i.heard || n > 0
	return n, err
}

// Conn returns the session itself, for what Registry has no method for.
func (r *Registry) Conn() *zk.Conn { return r.conn }

// Ensure creates node and its parents if they are missing.
func (r *Registry) Ensure(node string) error {
	for i := 1; i <= len(node); i++ {
		if i < len(node) && node[i] != '/' {
			continue
		}
		err := r.create(node[:i], zk.FlagPersistent)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("create %s: %w", node[:i], err)
		}
	}
	return nil
}

// Register creates an ephemeral child of node called name, and node if it is missing.
// An existing name gives [zk.ErrNodeExists].
func (r *Registry) Register(node, name string) error {
	child := path.Join(node, name)
	err := r.create(child, zk.FlagEphemeral)
	if errors.Is(err, zk.ErrNoNode) {
		if err := r.Ensure(node); err != nil {
			return err
		}
		err = r.create(child, zk.FlagEphemeral)
	}
	if err != nil {
		return fmt.Errorf("register %s: %w", child, err)
	}
	return nil
}

// Unregister deletes the child of node called name. A missing one gives [zk.ErrNoNode].
func (r *Registry) Unregister(node, name string) error {
	child := path.Join(node, name)
	if err := r.deleteNode(child); err != nil {
		return fmt.Errorf("unregister %s: %w", child, err)
	}
	return nil
}

// Delete deletes node and everything below it. Missing nodes are not an error.
func (r *Registry) Delete(node string) error {
	children, err := r.Children(node)
	if err == nil {
		for _, name := range children {
			if err := r.Delete(path.Join(node, name)); err != nil {
				return err
			}
		}
		err = r.deleteNode(node)
	}
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("delete %s: %w", node, err)
	}
	return nil
}

// DeleteAtOnce deletes a node with everything below it in one transaction: child by child
// a busy disk takes longer than departures may that count as one loss.
func (r *Registry) DeleteAtOnce(node string) error {
	var operations []any
	var collect func(string) error
	collect = func(node string) error {
		children, err := r.Children(node)
		if err != nil {
			return err
		}
		for _, name := range children {
			if err := collect(path.Join(node, name)); err != nil {
				return err
			}
		}
		operations = append(operations, &zk.DeleteRequest{Path: node, Version: -1})
		return nil
	}
	if err := collect(node); err != nil {
		return err
	}
	if results, err := r.conn.Multi(operations...); err != nil {
		return fmt.Errorf("delete %s at once: %w %v", node, err, results)
	}
	return nil
}

// Fill creates n persistent children of node, which it also creates, named as instances in
// 10.0.0.0/8. empty deletes them.
func (r *Registry) Fill(node string, n int) (empty func() error, err error) {
	transact := func(request func(path string) any) error {
		const batch = 1000
		for from := 0; from < n; from += batch {
			var requests []any
			for i := from; i < min(n, from+batch); i++ {
				requests = append(requests, request(fmt.Sprintf("%s/10.%d.%d.%d:80", node, i>>16, i>>8&0xff, i&0xff)))
			}
			if _, err := r.conn.Multi(requests...); err != nil {
				return fmt.Errorf("fill %s: %w", node, err)
			}
		}
		return nil
	}
	if err := r.Ensure(node); err != nil {
		return nil, err
	}
	err = transact(func(path string) any { return &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)} })
	return func() error {
		return transact(func(path string) any { return &zk.DeleteRequest{Path: path, Version: -1} })
	}, err
}

// Children returns the names of node's children in no particular order. A missing node
// gives [zk.ErrNoNode].
func (r *Registry) Children(node string) ([]string, error) {
	var children []string
	err := retry(func(bool) (err error) {
		children, _, err = r.conn.Children(node)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("children of %s: %w", node, err)
	}
	return children, nil
}

func (r *Registry) create(node string, flags int32) error {
	return retry(func(again bool) error {
		_, err := r.conn.Create(node, nil, flags, zk.WorldACL(zk.PermAll))
		if again && errors.Is(err, zk.ErrNodeExists) {
			// The attempt whose answer was lost may have succeeded.
			if _, stat, statErr := r.conn.Exists(node); statErr == nil && stat.EphemeralOwner == r.conn.SessionID() {
				return nil
			}
		}
		return err
	})
}

func (r *Registry) deleteNode(node string) error {
	return retry(func(again bool) error {
		err := r.conn.Delete(node, -1)
		if again && errors.Is(err, zk.ErrNoNode) {
			return nil // the attempt whose answer was lost has succeeded
		}
		return err
	})
}

// retry repeats call while it loses the connection or the session; again is true for
// retries. It does not spin: the library blocks a call until it has a connection or has
// tried every server.
func retry(call func(again bool) error) error {
	for began, again := time.Now(), false; ; again = true {
		err := call(again)
		lost := errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrSessionExpired)
		if !lost || time.Since(began) > registryPatience {
			return err
		}
	}
}

// Crash closes the connection like a crashed application: its registrations stay until
// the session expires. Only Close may follow.
func (r *Registry) Crash() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.crashed = true
	if r.wire != nil {
		r.wire.Close()
	}
}

// Close ends the session, and with it all registrations, and waits. It may be called
// twice, and while ZooKeeper is unavailable.
func (r *Registry) Close() {
	r.conn.Close()
	// A server that accepts and does not answer would block the library for ten receive
	// timeouts (its deadline for the handshake).
	r.Crash()
	<-r.done
}

type silence struct{}

func (silence) Printf(string, ...any) {}
