package rig

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// readyWithin is ample for HAProxy's start and the first read of ZooKeeper.
const readyWithin = 20 * time.Second

// AwaitReady waits until the daemon with its HTTP port at url reports that it is ready.
// The error has the daemon's output.
func (d *Daemon) AwaitReady(ctx context.Context, url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	err := Eventually(ctx, readyWithin, func() error {
		response, err := client.Get(url + "/readyz")
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz: %s", response.Status)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w; haproxy-zk said:\n%s", err, d.Output())
	}
	return nil
}
