package syncer

import (
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// tree is what a group needs of the library's connection. Its methods block
// while disconnected, until the connection is closed for good.
type tree interface {
	Children(path string) ([]string, *zk.Stat, error)
	ChildrenW(path string) ([]string, *zk.Stat, <-chan zk.Event, error)
	ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error)
}

// maxTurns bounds how often a path may appear between two requests.
const maxTurns = 3

var errUnsteady = errors.New("the path comes and goes")

// listing is what was read of a path.
type listing struct {
	names   []string
	missing bool            // there is no such path
	watch   <-chan zk.Event // fires when it is time to read again; nil without a watch
}

// watchList reads the children of path and leaves one watch there: on the
// children, or on the path when it does not exist.
func watchList(t tree, path string) (listing, error) {
	for range maxTurns {
		names, _, watch, err := t.ChildrenW(path)
		if err == nil {
			return listing{names: names, watch: watch}, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return listing{}, fmt.Errorf("read children of %s: %w", path, tooLong(err))
		}
		// A request that failed has left no watch.
		exists, _, watch, err := t.ExistsW(path)
		if err != nil {
			return listing{}, fmt.Errorf("wait for %s: %w", path, err)
		}
		if !exists {
			return listing{missing: true, watch: watch}, nil
		}
		// It appeared in between. This watch is on the path's data now; it goes
		// when the path does, so that at most one is left behind.
	}
	return listing{}, fmt.Errorf("read children of %s: %w", path, errUnsteady)
}

// peek reads the children of path without a watch: the library keeps a channel
// for each watch that is set until it fires.
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
