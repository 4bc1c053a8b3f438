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
	"slices"
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

// zoo.cfg of a server. forceSync=no leaves flushing to the kernel: a killed process
// loses nothing, and a slow disk does not affect timings.
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

// ZooKeeperOptions describe a server. Zero values stand for the defaults.
type ZooKeeperOptions struct {
	// Dir is where the server's directory is created; default: the system's directory
	// for temporary files.
	Dir string
	// TLS makes the server accept only TLS; nil means no TLS.
	TLS *ZooKeeperTLS
	// SASL maps the users of SASL with DIGEST-MD5 to their passwords; with any, the server
	// answers no client that has not authenticated so.
	SASL map[string]string
	// Lines are more lines of its zoo.cfg.
	Lines []string
	// Heap is its maximum heap in Java's notation: 128m.
	Heap string

	id int // in an ensemble; 0 without one
}

// ZooKeeper is Debian's ZooKeeper as a single server on a loopback port. Its data
// survive Stop and Kill, and so do sessions that have not expired. Its methods may be
// called from several goroutines.
type ZooKeeper struct {
	dir  string
	port int
	heap string
	tls  *tls.Config // for clients; nil means no TLS
	jaas []string    // Java's arguments for SASL

	mu     sync.Mutex
	server *child // nil while it is stopped
}

// StartZooKeeper creates a directory for the server, starts it and waits until it
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

// prepareZooKeeper creates the server's directory without starting anything.
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
	if len(options.SASL) > 0 {
		lines = append(lines, saslLines()...)
		file := filepath.Join(z.dir, "jaas.conf")
		if err := os.WriteFile(file, []byte(jaas(options.SASL)), 0o600); err != nil {
			return err
		}
		z.jaas = []string{"-Djava.security.auth.login.config=" + filepath.Base(file)}
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

// Addr returns the server's `127.0.0.1:port`, which survives a restart.
func (z *ZooKeeper) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(z.port))
}

// zookeeperJars are missing in the jar's manifest: the log, and what Netty needs for
// TLS.
func zookeeperJars() []string {
	return []string{zookeeperJar, jars + "slf4j-simple.jar", jars + "netty-codec.jar", jars + "netty-resolver.jar", jars + "netty-transport-native-unix-common.jar"}
}

// Start starts a stopped server again, with the same port and data, and waits until it
// serves, for 60 s at most. A running server is an error.
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
	// The arguments do not name the directory, so that the server is not mistaken for a
	// process of the daemon when both have the same parent directory.
	cmd := exec.Command("java", slices.Concat([]string{
		"-Xmx" + z.heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", // the messages of its start do not matter
	}, z.jaas, []string{
		"-cp", strings.Join(zookeeperJars(), ":"),
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg",
	})...)
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
		reply, err := z.FourLetter("srvr")
		if err == nil && !strings.Contains(reply, "Mode: ") {
			err = errors.New(strings.TrimSpace(reply))
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

// FourLetter sends one of ZooKeeper's four-letter commands (srvr, cons, wchs, …) and
// returns the answer.
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
	reply, err := io.ReadAll(conn)
	return string(reply), err
}

// Stop ends the server with SIGTERM, after 10 s with SIGKILL, and waits for it. A
// stopped server is not an error.
func (z *ZooKeeper) Stop() error { return z.end(func(c *child) { c.stop(zookeeperStop) }) }

// Kill ends the server with SIGKILL and waits for it. A stopped server is not an error.
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
	// The threads stop one after another.
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

// Connect is [ConnectRegistry] with this server, over TLS if it uses that.
func (z *ZooKeeper) Connect(ctx context.Context, timeout time.Duration) (*Registry, error) {
	return connect(ctx, z.Addr(), timeout, z.tls)
}

// Close kills the server and removes its directory. It may be called twice.
func (z *ZooKeeper) Close() error {
	return errors.Join(z.Kill(), os.RemoveAll(z.dir))
}

// LogTail returns the end of the server's log.
func (z *ZooKeeper) LogTail() string {
	text, err := os.ReadFile(filepath.Join(z.dir, zookeeperLog))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8000):])
}
