package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	zookeeperJar  = "/usr/share/java/zookeeper.jar"
	zookeeperLog  = "zookeeper.log"
	zookeeperWait = 60 * time.Second
	zookeeperStop = 10 * time.Second
)

// zoo.cfg of a single server. forceSync=no leaves the flushing to the kernel: a
// killed process loses nothing by it, and a slow disk does not get into timings.
const zookeeperConfig = `clientPortAddress=127.0.0.1
clientPort=%d
dataDir=%s
tickTime=200
initLimit=10
syncLimit=5
minSessionTimeout=400
maxSessionTimeout=60000
maxClientCnxns=0
preAllocSize=1024
forceSync=no
admin.enableServer=false
4lw.commands.whitelist=*
`

// ZooKeeper is Debian's ZooKeeper as one server on a loopback port. Its data
// stay over Stop and Kill, and so do sessions that have not expired. Its methods
// may be called from several goroutines.
type ZooKeeper struct {
	dir  string
	port int

	mu     sync.Mutex
	server *child // nil when it was stopped
}

// StartZooKeeper makes a folder for the server inside dir (the system's folder
// for temporary files when dir is empty), starts it and waits until it serves.
func StartZooKeeper(ctx context.Context, dir string) (*ZooKeeper, error) {
	if _, err := os.Stat(zookeeperJar); err != nil {
		return nil, fmt.Errorf("start zookeeper: %w (run `make setup`)", err)
	}
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("start zookeeper: %w", err)
	}
	own, err := os.MkdirTemp(dir, "zookeeper-")
	if err != nil {
		return nil, fmt.Errorf("start zookeeper: %w", err)
	}
	z := &ZooKeeper{dir: own, port: port}
	text := fmt.Sprintf(zookeeperConfig, port, filepath.Join(own, "data"))
	if err := os.WriteFile(filepath.Join(own, "zoo.cfg"), []byte(text), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("start zookeeper: %w", err), z.Close())
	}
	if err := z.Start(ctx); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return z, nil
}

// Addr returns the server's `127.0.0.1:port`; it is the same after a restart.
func (z *ZooKeeper) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(z.port))
}

// Start starts a stopped server again, with the same port and data, and waits
// until it serves, at most 60 s. A server that runs is an error.
func (z *ZooKeeper) Start(ctx context.Context) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.server != nil && !z.server.exited() {
		return errors.New("start zookeeper: it runs already")
	}
	log, err := os.OpenFile(filepath.Join(z.dir, zookeeperLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start zookeeper: %w", err)
	}
	defer log.Close()
	// The jar's manifest names the other jars. Nothing in the arguments names
	// the folder, so that the server is not taken for a process of the daemon
	// when both have the same parent folder.
	cmd := exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-cp", zookeeperJar+":/usr/share/java/slf4j-simple.jar",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg")
	cmd.Dir, cmd.Stdout, cmd.Stderr = z.dir, log, log
	server, err := startChild(cmd, syscall.SIGKILL)
	if err != nil {
		return fmt.Errorf("start zookeeper: %w (run `make setup`)", err)
	}
	z.server = server

	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	err = Eventually(ctx, zookeeperWait, func() error {
		if server.exited() {
			giveUp()
			return fmt.Errorf("it ended: %s", server.state())
		}
		answer, err := z.FourLetter("srvr")
		if err == nil && !strings.Contains(answer, "Mode: ") {
			err = errors.New(strings.TrimSpace(answer))
		}
		return err
	})
	if err != nil {
		server.kill()
		z.server = nil
		return fmt.Errorf("start zookeeper: %w; its log ends:\n%s", err, z.logTail())
	}
	return nil
}

// FourLetter sends one of ZooKeeper's four-letter commands (srvr, cons, wchs, …)
// and returns the answer.
func (z *ZooKeeper) FourLetter(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", z.Addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, command); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// Stop ends the server with SIGTERM, after 10 s with SIGKILL, and waits for it.
// A stopped server is no error.
func (z *ZooKeeper) Stop() error { return z.end(func(c *child) { c.stop(zookeeperStop) }) }

// Kill ends the server with SIGKILL and waits for it. A stopped server is no
// error.
func (z *ZooKeeper) Kill() error { return z.end((*child).kill) }

func (z *ZooKeeper) end(how func(*child)) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.server != nil {
		how(z.server)
		z.server = nil
	}
	return nil
}

// Pause freezes the server: connections stay open and nothing answers.
func (z *ZooKeeper) Pause() error {
	if err := z.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	// The threads stop one after another, each at its own next chance.
	return Eventually(context.Background(), zookeeperStop, z.frozen)
}

func (z *ZooKeeper) frozen() error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.server == nil {
		return errors.New("zookeeper does not run")
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", z.server.pid()))
	if err != nil {
		return err
	}
	for _, dir := range threads {
		if thread, err := readProcess(dir); err == nil && thread.State != "T" {
			return fmt.Errorf("thread %d of zookeeper runs on", thread.PID)
		}
	}
	return nil
}

// Resume ends a Pause.
func (z *ZooKeeper) Resume() error { return z.signal(syscall.SIGCONT) }

func (z *ZooKeeper) signal(sig syscall.Signal) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.server == nil {
		return fmt.Errorf("send %s to zookeeper: it does not run", sig)
	}
	return z.server.signal(sig)
}

// Close kills the server and removes its folder. It may be called twice.
func (z *ZooKeeper) Close() error {
	return errors.Join(z.Kill(), os.RemoveAll(z.dir))
}

func (z *ZooKeeper) logTail() string {
	text, err := os.ReadFile(filepath.Join(z.dir, zookeeperLog))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}
