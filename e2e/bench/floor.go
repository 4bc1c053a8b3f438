package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// floor is an HAProxy with the configuration rendered by haproxy-zk, on its own port
// and socket, and a process that does the minimum for it (see [follow]): a process
// because haproxy-zk is one too.
type floor struct {
	listener string
	haproxy  []int // its processes
	process  *exec.Cmd
}

func startFloor(ctx context.Context, zkAddr, node string, config *rig.SeedConfig, dir string) (f *floor, err error) {
	port, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	admin, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(config.ConfFile())
	if err != nil {
		return nil, err
	}
	replaced := []string{
		fmt.Sprintf(":%d\n", config.ListenerPort), fmt.Sprintf(":%d\n", port),
		fmt.Sprintf(":%d\n", config.AdminPort), fmt.Sprintf(":%d\n", admin),
	}
	var sockets []string
	for i, socket := range config.Sockets() {
		sockets = append(sockets, filepath.Join(dir, fmt.Sprintf("floor%d.sock", i+1)))
		replaced = append(replaced, socket, sockets[i])
	}
	rendered := strings.NewReplacer(replaced...).Replace(string(text))
	file, pidFile := filepath.Join(dir, "floor.cfg"), filepath.Join(dir, "floor.pid")
	if err := os.WriteFile(file, []byte(rendered), 0o600); err != nil {
		return nil, err
	}
	f = &floor{listener: fmt.Sprintf("127.0.0.1:%d", port)}
	if f.haproxy, err = launch(ctx, config.HAProxy, file, pidFile); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.process = exec.Command(self, append([]string{"follow", zkAddr, node}, sockets...)...)
	f.process.Stderr = os.Stderr
	f.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := f.process.Start(); err != nil {
		f.process = nil
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *floor) close() error {
	var problems []error
	if f.process != nil {
		problems = append(problems, f.process.Process.Kill())
		_ = f.process.Wait() // it was killed
	}
	return errors.Join(append(problems, terminate(f.haproxy))...)
}
