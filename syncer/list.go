package syncer

import (
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// tree is the part of the library's connection that a group needs. Its methods block
// while disconnected, until the connection is closed.
type tree interface {
	Children(path string) ([]string, *zk.Stat, error)
	ChildrenW(path string) ([]string, *zk.Stat, <-chan zk.Event, error)
	Exists(path string) (bool, *zk.Stat, error)
	ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error)
	Get(path string) ([]byte, *zk.Stat, error)
	GetW(path string) ([]byte, *zk.Stat, <-chan zk.Event, error)
	Create(path string, data []byte, flags int32, acl []zk.ACL) (string, error)
	Delete(path string, version int32) error
	Multi(ops ...any) ([]zk.MultiResponse, error)
}

// maxTurns bounds how often a path may appear between two requests.
const maxTurns = 3

var errUnsteady = errors.New("the path keeps appearing and disappearing")

// listing is the result of reading a path.
type listing struct {
	names   []string
	missing bool            // the path does not exist
	watch   <-chan zk.Event // fires when the path must be read again; nil without a watch
}

// watchList reads the children of path and leaves one watch: on the children, or on the
// path if it does not exist.
func watchList(t tree, path string) (listing, error) {
	for range maxTurns {
		names, _, watch, err := t.ChildrenW(path)
		if err == nil {
			return listing{names: names, watch: watch}, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return listing{}, fmt.Errorf("read children of %s: %w", path, tooLong(err))
		}
		// The failed request has left no watch.
		exists, _, watch, err := t.ExistsW(path)
		if err != nil {
			return listing{}, fmt.Errorf("wait for %s: %w", path, err)
		}
		if !exists {
			return listing{missing: true, watch: watch}, nil
		}
		// It appeared in between. This watch is now on the path's data and ends
		// with the path, so that at most one remains.
	}
	return listing{}, fmt.Errorf("read children of %s: %w", path, errUnsteady)
}

// peek reads the children of path without a watch: the library keeps a channel for each
// watch until it fires.
func peek(t tree, path string) (listing, error) {
	names, _, err := t.Children(path)
	if errors.Is(err, zk.ErrNoNode) {
		return listing{missing: true}, nil
	}
	if err != nil {
		return listing{}, fmt.Errorf("read children of %s: %w", path, tooLong(err))
	}
	return listing{names: names}, nil
}
