package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// Plan is one proxy with everything determined before it starts. It is immutable once
// created; its methods may be called from any goroutine.
type Plan struct {
	config.Proxy

	// Executable is the path of HAProxy's executable.
	Executable string
	// Parsed is the parsed template: the configured file or the built-in one.
	Parsed *haproxy.Template
	// Frame has the rest of the configuration besides groups, including HAProxy's
	// version.
	Frame haproxy.Frame
	// Backends are those of the configured groups, in their order.
	Backends []haproxy.Backend
	// LogSocket is where HAProxy logs with the built-in template, or with another
	// template that names it; otherwise empty.
	LogSocket string

	// ahead is true to render slots whatever the groups ask for; see [Plan.Ahead].
	ahead        bool
	ownLogSocket string     // what LogSocket is if HAProxy logs there
	asked        executable // the executable whose version is known
}

// Options are shared by all plans of a process.
type Options struct {
	RunDir string
	Reaper *supervisor.Reaper
}

// New finds HAProxy, queries its version, and reads the template. HAProxy may take up
// to 10 s to answer. The error has all problems, each with its place, and is an
// [exitcode.UsageError] if a human has to fix it.
func New(ctx context.Context, o Options, p config.Proxy) (*Plan, error) {
	pl := &Plan{Proxy: p, Frame: haproxy.Frame{
		ConfFile:     p.ConfFile,
		Sockets:      p.SocketFiles,
		PIDFile:      p.PIDFile,
		ListenerPort: p.ListenerPort,
		AdminPort:    p.AdminPort,
		Files:        openFiles(),
	}}
	var err error
	if pl.Executable, err = exec.LookPath(p.Exec); err != nil {
		return nil, exitcode.Classify(pl.keyError("exec", fmt.Errorf("cannot find HAProxy: %w", err)))
	}
	v, err := pl.version(ctx, o.Reaper)
	if err != nil {
		return nil, err
	}
	pl.ownLogSocket = filepath.Join(o.RunDir, p.Name+".log.sock")
	if p.Template == "" {
		pl.LogSocket = pl.ownLogSocket
	} else if pl.Parsed, err = pl.readTemplate(); err != nil {
		err = pl.keyError("template", err)
	} else if pl.Parsed.Mentions(pl.ownLogSocket) {
		pl.LogSocket = pl.ownLogSocket
	}
	if err := errors.Join(pl.adapt(v), err); err != nil {
		return nil, err
	}
	return pl, nil
}

// mode returns the mode of the built-in template: tcp if all groups have it.
func (pl *Plan) mode() string {
	http := func(g config.Group) bool { return g.Mode == "http" }
	if slices.ContainsFunc(pl.Groups, http) || len(pl.Groups) == 0 && pl.Discover == nil || pl.Discover != nil && http(pl.Discover.Entry) {
		return "http"
	}
	return "tcp"
}

func (pl *Plan) readTemplate() (*haproxy.Template, error) {
	p := pl.Proxy
	if p.Template == "" {
		return haproxy.Builtin{
			Mode: pl.mode(), Version: pl.Frame.Version, LogSocket: pl.LogSocket, Root: StaysRoot(),
			User: p.Admin.User, Password: p.Admin.Password.Reveal(),
		}.Template()
	}
	text, err := os.ReadFile(p.Template)
	if err != nil {
		return nil, exitcode.Classify(fmt.Errorf("read the template: %w", err))
	}
	t, err := haproxy.ParseTemplate(string(text))
	if err != nil {
		return nil, exitcode.NewUsageError(fmt.Errorf("%s: %w", p.Template, err))
	}
	return t, nil
}

// Render returns the configuration that HAProxy starts with while no instance is
// registered.
func (pl *Plan) Render() []byte {
	return pl.Parsed.Render(pl.Frame, pl.Backends, pl.rows())
}

// RenderWithMaps returns that configuration, with its maps behind it as comments.
func (pl *Plan) RenderWithMaps() []byte {
	text := pl.Render()
	for _, m := range pl.Maps() {
		text = fmt.Appendf(text, "# %s:\n", m.Path)
		for line := range bytes.Lines(m.Text()) {
			text = fmt.Appendf(text, "#     %s", line)
		}
	}
	return text
}

// Ahead returns the plan with slots for all groups: HAProxy then judges their servers, also
// those of which the configuration has none before an instance is registered.
func (pl *Plan) Ahead() *Plan {
	ahead := *pl
	ahead.ahead = true
	return &ahead
}

// CarriedByServers counts the configured groups whose servers are added as needed.
func (pl *Plan) CarriedByServers() (n int) {
	for _, b := range pl.Backends {
		if way, _ := pl.Parsed.Carries(b, pl.Frame.Version); way.Dynamic() {
			n++
		}
	}
	return n
}

// Maps returns the maps of that configuration.
func (pl *Plan) Maps() []haproxy.Map { return pl.Parsed.Maps(pl.Frame, pl.Backends) }

// RenderAt returns the same configuration and its maps for another path of its file.
func (pl *Plan) RenderAt(confFile string) ([]byte, []haproxy.Map) {
	at := *pl
	at.Frame.ConfFile = confFile
	return at.Render(), at.Maps()
}

// Places returns the origin of each line that Render returns.
func (pl *Plan) Places() []haproxy.Place {
	return pl.Parsed.Places(pl.Frame, pl.Backends, pl.rows())
}

// rows returns the rows of the backends while no instance is registered.
func (pl *Plan) rows() [][]haproxy.Row {
	rows := make([][]haproxy.Row, len(pl.Backends))
	for i, b := range pl.Backends {
		if way, _ := pl.Parsed.Carries(b, pl.Frame.Version); !way.Dynamic() || pl.ahead {
			rows[i] = make([]haproxy.Row, b.Servers.Size())
		}
	}
	return rows
}

// Slots returns the total number of slots of the backends.
func (pl *Plan) Slots() (slots int) {
	for _, b := range pl.Backends {
		slots += b.Servers.Size()
	}
	return slots
}
