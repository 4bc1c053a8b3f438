// Command app is an instance of an application for a container: it registers
// itself in ZooKeeper, answers requests, and leaves gracefully when it is stopped.
// The tests of the image and compose.yaml use it.
//
//	ZK_ADDR   the ZooKeeper server, as in zookeeper:2181
//	APP       the application's name; default: web
//	ZK_PATH   the root path of the applications; default: /services
//	PORT      where it listens; default: 8080
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	connectWithin = time.Minute
	session       = 10 * time.Second
	again         = 500 * time.Millisecond
	// No request for this long means that the load balancers have removed the instance.
	quiet       = 500 * time.Millisecond
	quietAtMost = 8 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	zookeeper, name := os.Getenv("ZK_ADDR"), cmp.Or(os.Getenv("APP"), "web")
	connecting, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	registry, err := rig.ConnectRegistry(connecting, zookeeper, session)
	if err != nil {
		return err
	}
	defer registry.Close()
	ip, err := addressTowards(zookeeper)
	if err != nil {
		return err
	}
	app, err := rig.StartAppAt(name, net.JoinHostPort(ip, cmp.Or(os.Getenv("PORT"), "8080")))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Stop()) }()
	keep(ctx, app, registry, cmp.Or(os.Getenv("ZK_PATH"), "/services")+"/"+name+"/instances")

	if err := app.Unregister(); err != nil {
		return err
	}
	leaving, cancel := context.WithTimeout(context.Background(), quietAtMost)
	defer cancel()
	return app.Quiet(leaving, quiet)
}

// keep registers the instance, and again whenever its session and registration have
// expired, until ctx ends.
func keep(ctx context.Context, app *rig.App, registry *rig.Registry, node string) {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		err := app.Register(registry, node)
		switch {
		case err == nil:
			fmt.Printf("registered %s/%s\n", node, app.Addr())
		case !errors.Is(err, zk.ErrNodeExists):
			fmt.Fprintln(os.Stderr, "app:", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// addressTowards is this host's address on the way to a server. No packet is sent.
func addressTowards(server string) (string, error) {
	conn, err := net.Dial("udp", server)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return host, err
}
