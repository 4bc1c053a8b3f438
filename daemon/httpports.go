package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/query"
)

// listenHTTP listens on HTTP_ADDR and HTTP_DETAIL_ADDR, which may contain host names. On
// error it listens on none.
func (o Options) listenHTTP(ctx context.Context) (ports []query.Port, err error) {
	defer func() {
		for _, p := range ports {
			if err != nil {
				_ = p.Listener.Close() // it has accepted nothing
			}
		}
	}()
	listen := func(deed, addr string, detail bool) error {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("%s: %s: %w; stop what listens there, or choose another address", deed, addr, unix.EADDRINUSE)
		}
		if err != nil {
			return exitcode.ClassifyListen(fmt.Errorf("%s: %w", deed, err))
		}
		ports = append(ports, query.Port{Listener: l, Detail: detail})
		return nil
	}
	for _, addr := range o.HTTPAddrs {
		if err := listen("listen on HTTP_ADDR", addr, o.HTTPDetailAddr == ""); err != nil {
			return ports, err
		}
	}
	if o.HTTPDetailAddr != "" {
		return ports, listen("listen on HTTP_DETAIL_ADDR", o.HTTPDetailAddr, true)
	}
	return ports, nil
}

// at returns the options with the addresses of ports of listenHTTP in place of names.
func (o Options) at(ports []query.Port) Options {
	o.HTTPAddrs = nil
	for i, p := range ports {
		addr := p.Listener.Addr().String()
		if o.HTTPDetailAddr != "" && i == len(ports)-1 {
			o.HTTPDetailAddr = addr
			break
		}
		o.HTTPAddrs = append(o.HTTPAddrs, addr)
	}
	return o
}
