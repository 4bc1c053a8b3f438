package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// follow is the minimum that updates HAProxy from registered instances: it watches one
// path, reads the children when the watch fires, and writes the changes to the stats
// sockets, one after the other. It checks nothing and survives no failure.
func follow(zkAddr, node string, sockets []string) error {
	conn, events, err := zk.Connect([]string{zkAddr}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		return err
	}
	go func() {
		for range events { // the library drops events that are not received
		}
	}()
	last, slots := 0, make(map[string]int)
	for {
		children, _, changed, err := conn.ChildrenW(node)
		if err != nil {
			return err
		}
		there := make(map[string]bool)
		var commands []string
		for _, child := range children {
			there[child] = true
			if slots[child] == 0 {
				last++
				slots[child] = last
				host, port, err := net.SplitHostPort(child)
				if err != nil {
					return err
				}
				server := fmt.Sprintf("set server ours/ours%d ", last)
				commands = append(commands, server+"addr "+host+" port "+port, server+"state ready")
			}
		}
		for child, slot := range slots {
			if !there[child] {
				delete(slots, child)
				commands = append(commands, fmt.Sprintf("set server ours/ours%d state maint", slot))
			}
		}
		for _, socket := range sockets {
			if len(commands) == 0 {
				break
			}
			if err := write(socket, strings.Join(commands, ";")); err != nil {
				return err
			}
		}
		<-changed
	}
}

func write(socket, line string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}
