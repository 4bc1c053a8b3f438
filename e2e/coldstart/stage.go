package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	within = 30 * time.Second
	// Docker's proxy accepts a connection before anything listens behind it, and may
	// then hold it.
	answerWithin = 25 * time.Millisecond
)

// static is the configuration of the plain base image.
const static = `global
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend public
    bind *:8080
    default_backend web
backend web
    server web1 %s check inter 2000 rise 1 fall 2
`

// stage is a network with a ZooKeeper and one registered instance.
type stage struct {
	image, base string
	network     string
	dir         string
	containers  []string
}

func newStage(ctx context.Context, image, zookeeper, app string) (*stage, error) {
	s := &stage{image: image}
	base, err := rig.Docker(ctx, "image", "inspect", "--format", `{{index .Config.Labels "org.opencontainers.image.base.name"}}`, image)
	if err != nil {
		return s, err
	}
	s.base = base
	if s.dir, err = os.MkdirTemp("", "haproxy-zk-coldstart-"); err != nil {
		return s, err
	}
	// The container's user reads the configuration in it.
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return s, err
	}
	network := "haproxy-zk-coldstart-" + strings.ToLower(rand.Text()[:10])
	if _, err := rig.Docker(ctx, "network", "create", network); err != nil {
		return s, err
	}
	s.network = network
	if _, err := s.run(ctx, "--network-alias", "zookeeper", zookeeper); err != nil {
		return s, err
	}
	id, err := s.run(ctx, "--env", "ZK_ADDR=zookeeper:2181", app)
	if err != nil {
		return s, err
	}
	var instance string
	err = rig.Eventually(ctx, within, func() error {
		said, err := rig.Docker(ctx, "logs", id)
		if err != nil {
			return err
		}
		_, node, ok := strings.Cut(said, "registered ")
		if !ok {
			return fmt.Errorf("the instance has not registered: %s", said)
		}
		instance = path.Base(node)
		return nil
	})
	if err != nil {
		return s, err
	}
	return s, os.WriteFile(filepath.Join(s.dir, "haproxy.cfg"), fmt.Appendf(nil, static, instance), 0o644)
}

// plain and ours are the last arguments of `docker run`.
func (s *stage) plain() []string {
	return []string{"--user", "65532:65532", "--volume", s.dir + ":/static:ro", "--entrypoint", "haproxy", s.base, "-W", "-db", "-f", "/static/haproxy.cfg"}
}

func (s *stage) ours() []string { return []string{"--env", "ZK_ADDR=zookeeper:2181", s.image} }

// run starts a container that close removes.
func (s *stage) run(ctx context.Context, args ...string) (string, error) {
	id, err := rig.Docker(ctx, append([]string{"run", "--detach", "--network", s.network}, args...)...)
	if err == nil {
		s.containers = append(s.containers, id)
	}
	return id, err
}

// serves starts a container, returns how long the first good answer took, and removes
// it.
func (s *stage) serves(ctx context.Context, args []string) (took time.Duration, err error) {
	port, err := rig.FreePort()
	if err != nil {
		return 0, err
	}
	answered := make(chan time.Time, 1)
	asking, stop := context.WithTimeout(ctx, within)
	defer stop()
	began := time.Now()
	go func() {
		defer close(answered)
		client := http.Client{Timeout: answerWithin, Transport: &http.Transport{DisableKeepAlives: true}}
		err := rig.Eventually(asking, within, func() error {
			response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/web/", port))
			if err != nil {
				return err
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return errors.New(response.Status)
			}
			return nil
		})
		if err == nil {
			answered <- time.Now()
		}
	}()
	id, err := rig.Docker(ctx, append([]string{"run", "--detach", "--network", s.network, "--publish", fmt.Sprintf("127.0.0.1:%d:8080", port)}, args...)...)
	if err != nil {
		stop()
		<-answered
		return 0, err
	}
	at, ok := <-answered
	if !ok {
		said, _ := rig.Docker(context.Background(), "logs", id)
		err = fmt.Errorf("no answer within %s: %s", within, said)
	}
	_, removeErr := rig.Docker(context.Background(), "rm", "--force", "--volumes", id)
	return at.Sub(began), errors.Join(err, removeErr)
}

// close removes everything created so far.
func (s *stage) close() error {
	var problems []error
	for _, id := range s.containers {
		_, err := rig.Docker(context.Background(), "rm", "--force", "--volumes", id)
		problems = append(problems, err)
	}
	if s.network != "" {
		_, err := rig.Docker(context.Background(), "network", "rm", s.network)
		problems = append(problems, err)
	}
	if s.dir != "" {
		problems = append(problems, os.RemoveAll(s.dir))
	}
	return errors.Join(problems...)
}
