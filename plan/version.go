package plan

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// versionWithin bounds haproxy -v, which takes a second on an emulated processor.
const versionWithin = 10 * time.Second

// HAProxyVersion runs the executable at path to get its version, for 10 s at most. The
// error is an [exitcode.UsageError] if a human has to fix it.
func HAProxyVersion(ctx context.Context, reaper *supervisor.Reaper, path string) (haproxy.Version, error) {
	limited, cancel := context.WithTimeout(ctx, versionWithin)
	defer cancel()
	output, err := reaper.Output(limited, path, "-v")
	if err != nil {
		return haproxy.Version{}, exitcode.ClassifyProgram(fmt.Errorf("ask HAProxy for its version: %w", err))
	}
	v, err := haproxy.ParseVersion(output)
	if err != nil {
		return haproxy.Version{}, exitcode.NewUsageError(fmt.Errorf("%s is not HAProxy: %w", path, err))
	}
	return v, nil
}

// DescribeHAProxy returns the version and path of the executable that a name or path
// stands for, or why there are none. Below, indented, are until when that version is
// supported, and what it can do. It blocks as [HAProxyVersion] does.
func DescribeHAProxy(ctx context.Context, reaper *supervisor.Reaper, executable string, now time.Time) string {
	path, err := exec.LookPath(executable)
	if err != nil {
		return "unknown: " + err.Error()
	}
	v, err := HAProxyVersion(ctx, reaper, path)
	if err != nil {
		return "unknown: " + err.Error()
	}
	return strings.Join(append([]string{fmt.Sprintf("%s (%s)", v, path)}, v.Describe(now)...), "\n    ")
}

// version queries the executable for its version, and records which one it was.
func (pl *Plan) version(ctx context.Context, reaper *supervisor.Reaper) (haproxy.Version, error) {
	pl.asked = identify(pl.Executable)
	v, err := HAProxyVersion(ctx, reaper, pl.Executable)
	if err != nil {
		return haproxy.Version{}, pl.keyError("exec", err)
	}
	return v, nil
}

// adapt adapts the plan to a version of HAProxy. Its error has everything that keeps
// that version from being started.
func (pl *Plan) adapt(v haproxy.Version) error {
	pl.Frame.Version, pl.Frame.Lines, pl.Frame.Discovered = v, pl.groupLines(), pl.anyDiscovered()
	pl.Backends = make([]haproxy.Backend, len(pl.Groups))
	var problems []error
	for i, g := range pl.Groups {
		var err error
		if pl.Backends[i], err = NewBackend(g); err != nil {
			problems = append(problems, exitcode.NewUsageError(pl.keyError("groups."+g.Name+".server-template", err)))
		}
	}
	if pl.Template == "" {
		var err error
		if pl.Parsed, err = pl.readTemplate(); err != nil {
			problems = append(problems, pl.keyError("template", err))
		}
	}
	if pl.Parsed != nil {
		if err := pl.Parsed.Validate(pl.Frame, pl.Backends); err != nil {
			problems = append(problems, exitcode.NewUsageError(pl.keyError("template", err)))
		}
		pl.Frame.Kinds, pl.Frame.Routes = pl.Parsed.Kinds(pl.Frame, pl.Backends), pl.routes()
	}
	return errors.Join(problems...)
}

// Layout returns the layout for the controller.
func (pl *Plan) Layout(reaper *supervisor.Reaper) hactl.Layout {
	return hactl.Layout{
		Template: pl.Parsed, Frame: pl.Frame, Backends: pl.Backends, Discover: pl.discover(),
		Current: func(ctx context.Context) (hactl.Layout, error) { return pl.current(ctx, reaper) },
	}
}

// current returns the layout for the current executable. The template is only read
// again on SIGHUP.
func (pl *Plan) current(ctx context.Context, reaper *supervisor.Reaper) (hactl.Layout, error) {
	if now := identify(pl.Executable); now.binary && now == pl.asked {
		return pl.Layout(reaper), nil
	}
	next := *pl
	v, err := next.version(ctx, reaper)
	if err != nil {
		return hactl.Layout{}, err
	}
	if v == pl.Frame.Version {
		return next.Layout(reaper), nil
	}
	if err := next.adapt(v); err != nil {
		return hactl.Layout{}, fmt.Errorf("%s is HAProxy %s now, not %s: %w", pl.Executable, v, pl.Frame.Version, err)
	}
	return next.Layout(reaper), nil
}

// keyError prepends a key of the proxy to an error.
func (pl *Plan) keyError(key string, err error) error {
	return fmt.Errorf("%s.%s: %w", pl.Name, key, err)
}
