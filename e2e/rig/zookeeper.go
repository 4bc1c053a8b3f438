package rig

import (
	"cmp"
	"context"
	"crypto/tls"
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
	jars          = "/usr/share/java/"
	zookeeperJar  = jars + "zookeeper.jar"
	usualHeap     = "128m"
	zookeeperLog  = "zookeeper.log"
	zookeeperWait = 60 * time.Second
	zookeeperStop = 10 * time.Second
)

// zoo.cfg of a server. forceSync=no leaves the flushing to the kernel: a
// killed process loses nothing by it, and a slow disk does not get into timings.
const zookeeperConfig = `dataDir=%s
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

// ZooKeeperOptions describe a server. Zero values stand for the usual.
type ZooKeeperOptions struct {
	// Dir is where the server's folder is made: the system's folder for
	// temporary files.
	Dir string
	// TLS makes the server speak nothing else; nil is in the clear.
	TLS *ZooKeeperTLS
	// Lines are more of its zoo.cfg.
	Lines []string
	// Heap is the memory that it may use, as Java writes it: 128m.
	Heap string

	id int // in an ensemble; 0 is alone
}

// ZooKeeper is Debian's ZooKeeper as one server on a loopback port. Its data
// stay over Stop and Kill, and so do sessions that have not expired. Its methods
// may be called from several goroutines.
type ZooKeeper struct {
	dir  string
	port int
	heap string
	tls  *tls.Config // a client's; nil is in the clear

	mu     sync.Mutex
	server *child // nil when it was stopped
}

// StartZooKeeper makes a folder for the server, starts it and waits until it
// serves.
func StartZooKeeper(ctx context.Context, options ZooKeeperOptions) (*ZooKeeper, error) {
	z, err := prepareZooKeeper(options)
	if err != nil {
		return nil, fmt.Errorf("start zookeeper: %w", err)
	}
	if err := z.Start(ctx); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return z, nil
}

// prepareZooKeeper makes the server's folder and starts nothing.
func prepareZooKeeper(options ZooKeeperOptions) (*ZooKeeper, error) {
	if _, err := os.Stat(zookeeperJar); err != nil {
		return nil, fmt.Errorf("%w (run `make setup`)", err)
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	own, err := os.MkdirTemp(options.Dir, "zookeeper-")
	if err != nil {
		return nil, err
	}
	z := &ZooKeeper{dir: own, port: port, heap: cmp.Or(options.Heap, usualHeap)}
	if err := z.prepare(options); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return z, nil
}

func (z *ZooKeeper) prepare(options ZooKeeperOptions) error {
	data := filepath.Join(z.dir, "data")
	lines := append([]string{"clientPortAddress=127.0.0.1", fmt.Sprintf("clientPort=%d", z.port)}, options.Lines...)
	if options.TLS != nil {
		secure, err := options.TLS.lines(z.dir, z.port)
		if err != nil {
			return err
		}
		if z.tls, err = options.TLS.Client(); err != nil {
			return err
		}
		lines = append(secure, options.Lines...)
	}
	if options.id > 0 {
		if err := os.Mkdir(data, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(data, "myid"), []byte(strconv.Itoa(options.id)), 0o600); err != nil {
			return err
		}
	}
	text := fmt.Sprintf(zookeeperConfig, data) + strings.Join(lines, "\n") + "\n"
	return os.WriteFile(filepath.Join(z.dir, "zoo.cfg"), []byte(text), 0o600)
}

// Addr returns the server's `127.0.0.1:port`; it is the same after a restart.
func (z *ZooKeeper) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(z.port))
}

// zookeeperJars are what the jar's manifest does not name: the log, and what
// Netty needs for TLS.
func zookeeperJars() []string {
	return []string{zookeeperJar, jars + "slf4j-simple.jar", jars + "netty-codec.jar", jars + "netty-resolver.jar", jars + "netty-transport-native-unix-common.jar"}
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
	// Nothing in the arguments names the folder, so that the server is not taken for a process of the daemon
	// when both have the same parent folder.
	cmd := exec.Command("java", "-Xmx"+z.heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-cp", strings.Join(zookeeperJars(), ":"),
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
		return fmt.Errorf("start zookeeper: %w; its log ends:\n%s", err, z.LogTail())
	}
	return nil
}

// FourLetter sends one of ZooKeeper's four-letter commands (srvr, cons, wchs, …)
// and returns the answer.
func (z *ZooKeeper) FourLetter(command string) (string, error) {
	conn, err := dialWith(z.tls, "tcp", z.Addr(), time.Second)
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

// Connect is [ConnectRegistry] with this server, in TLS if it speaks that.
func (z *ZooKeeper) Connect(ctx context.Context, timeout time.Duration) (*Registry, error) {
	return connectRegistry(ctx, z.Addr(), timeout, z.tls)
}

// Close kills the server and removes its folder. It may be called twice.
func (z *ZooKeeper) Close() error {
	return errors.Join(z.Kill(), os.RemoveAll(z.dir))
}

// LogTail is the end of the server's log.
func (z *ZooKeeper) LogTail() string {
	text, err := os.ReadFile(filepath.Join(z.dir, zookeeperLog))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8000):])
}
