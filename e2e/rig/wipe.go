package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Wipe kills the server, deletes all of its data, including sessions, and starts it
// again on the same port.
func (z *ZooKeeper) Wipe(ctx context.Context) error {
	if err := z.Kill(); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(z.dir, "data")); err != nil {
		return fmt.Errorf("wipe zookeeper: %w", err)
	}
	return z.Start(ctx)
}
