package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// subject is a plan to check. discovered names the groups that were added for the
// check; nil if there are none.
type subject struct {
	*plan.Plan

	discovered *discoveredPlaces
}

// checkTemplate checks the rendered configuration with HAProxy, and for pitfalls that
// HAProxy does not report.
func checkTemplate(ctx context.Context, reaper *supervisor.Reaper, pl subject, rendered []byte) []finding {
	output, err := askHAProxy(ctx, reaper, pl.Plan)
	return judgeAnswer(pl, rendered, output, err)
}

// judgeAnswer turns the result of askHAProxy into findings, with lines of the template
// instead of the rendered file.
func judgeAnswer(pl subject, rendered []byte, output string, err error) []finding {
	refused, isRefused := errors.AsType[*supervisor.ExitError](err)
	if err != nil && !isRefused {
		return []finding{{
			Proxy: pl.Name, Severity: isError, Where: pl.Name + ".exec",
			Text: fmt.Sprintf("cannot run HAProxy to check the configuration: %v", err),
		}}
	}
	if isRefused {
		output = refused.Output
	}
	said := haproxy.ParseMessages(output)
	if isRefused && !slices.ContainsFunc(said, func(m haproxy.Message) bool { return m.Level == haproxy.Alert }) {
		said = append(said, haproxy.Message{Level: haproxy.Alert, Text: fmt.Sprintf("%v: %v", registry.ErrRefused, refused)})
	}
	return merge(pl.Name, newPlaces(pl, rendered), traps(pl), said, isRefused)
}

// Accept checks whether HAProxy accepts the configuration of a plan. Its error has one
// line per reason, as check reports them, and is an [exitcode.UsageError] unless the
// cause may be temporary.
func Accept(ctx context.Context, reaper *supervisor.Reaper, pl *plan.Plan) error {
	pl = pl.Ahead()
	rendered := pl.Render()
	output, err := askHAProxy(ctx, reaper, pl)
	if err == nil {
		return nil
	}
	reasons := asFound(judgeAnswer(subject{Plan: pl}, rendered, output, err))
	if reasons == nil { // HAProxy reported no alert
		reasons = fmt.Errorf("%s: %w: %w", pl.Name, registry.ErrRefused, err)
	}
	ended, ran := errors.AsType[*supervisor.ExitError](err)
	if ran && ended.Status.Exited() && !exitcode.Passes(ended.Output) {
		return exitcode.NewUsageError(reasons)
	}
	return reasons
}

// askHAProxy runs haproxy -c on a temporary file with its maps, whose names it replaces in
// the output with those of the real ones.
func askHAProxy(ctx context.Context, reaper *supervisor.Reaper, pl *plan.Plan) (string, error) {
	dir, err := os.MkdirTemp("", "haproxy-zk-check-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the rendered configuration: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, filepath.Base(pl.ConfFile))
	rendered, maps := pl.RenderAt(file)
	if len(maps) > 0 {
		if err := haproxy.CheckMapsBeside(file); err != nil {
			return "", fmt.Errorf("make a folder for the rendered configuration: %w; set TMPDIR to another one", err)
		}
	}
	for _, m := range maps {
		if err := os.WriteFile(m.Path, m.Text(), 0o600); err != nil {
			return "", fmt.Errorf("write a map of the rendered configuration: %w", err)
		}
	}
	if err := os.WriteFile(file, rendered, 0o600); err != nil {
		return "", fmt.Errorf("write the rendered configuration: %w", err)
	}
	output, err := supervisor.Check(ctx, reaper, pl.Executable, file)
	if refused, isRefused := errors.AsType[*supervisor.ExitError](err); isRefused {
		refused.Output = strings.ReplaceAll(refused.Output, file, pl.ConfFile)
		err = refused
	}
	return strings.ReplaceAll(output, file, pl.ConfFile), err
}

// merge combines the pitfalls and HAProxy's own messages into findings. A pitfall that
// HAProxy reports too becomes one finding with HAProxy's message, and no finding gets
// the text of another one. HAProxy's verdict is its exit status, refused, whatever the
// levels of its messages.
func merge(proxy string, places places, traps []located, said []haproxy.Message, refused bool) []finding {
	severity := func(grave bool) string {
		if grave && refused {
			return isError
		}
		return isWarning
	}
	var found []finding
	known := make([]bool, len(said))
	for _, trap := range traps {
		f := finding{Proxy: proxy, Where: trap.where, Line: trap.Line, Text: trap.Text, Remedy: trap.Remedy}
		grave, quoted := trap.Fatal, ""
		for i, m := range said {
			if where, line := places.of(m.Line); where == trap.where && trap.Line < line && line <= trap.End {
				known[i] = true // a consequence of the section's first line
			}
			if trap.HAProxySays == "" || !strings.Contains(m.Text, trap.HAProxySays) {
				continue
			}
			where, line := places.of(m.Line)
			switch {
			case m.Line == 0:
				known[i] = true
			case where == trap.where && line == trap.Line:
				known[i] = true
				grave = grave || m.Level == haproxy.Alert
				text := places.relocate(m, trap.where).Text
				if quoted != "" && strings.HasPrefix(text, quoted) {
					continue // HAProxy repeats itself with more words
				}
				f.Text += fmt.Sprintf(" (HAProxy: %q)", text)
				quoted = text
			}
		}
		f.Severity = severity(grave)
		if trap.Note && quoted == "" {
			f.Severity = isNote
		}
		found = append(found, f)
	}
	for i, m := range said {
		if known[i] {
			continue
		}
		f := finding{Proxy: proxy, Severity: severity(m.Level == haproxy.Alert)}
		f.Where, f.Line = places.of(m.Line)
		if name := named.FindStringSubmatch(m.Text); name != nil && m.Line == 0 {
			f.Where, f.Line = places.section(name[1])
		}
		f.Text = "HAProxy: " + places.relocate(m, f.Where).Text
		if f.Remedy = remedyOf(m.Text, places.line(m.Line)); m.Line > 0 && f.Remedy == "" {
			f.Remedy = places.quote(m.Line)
		}
		found = append(found, f)
	}
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Line, b.Line))
	})
	return found
}

// named matches messages about a whole section.
var named = regexp.MustCompile(`(?:frontend|backend|listen|proxy|Proxy) '([^']+)'`)

// emptyArgument matches an error of HAProxy 3.3 and later, and the warning of the versions
// before that.
var emptyArgument = regexp.MustCompile(`argument number \d+ at position \d+ is empty`)

// remedyOf returns the remedy for a message of HAProxy about a line, if it is known.
func remedyOf(text, line string) string {
	switch {
	case emptyArgument.MatchString(text):
		if unset := unsetVariables(line); len(unset) > 0 {
			return "set " + strings.Join(unset, " and ") + " in the environment, or write the word into the line"
		}
		return "write a word there, or remove the empty quotes"
	case strings.Contains(text, "has the same name as"):
		return "rename one of them"
	case strings.Contains(text, "'zero-warning' is set"):
		return "fix the warnings, or remove `zero-warning`"
	case strings.HasPrefix(text, "log format ignored for"):
		return "add `log global` to the defaults"
	case strings.Contains(text, "in multi-process mode"):
		return "name one socket file, ask the query API instead, or use HAProxy 2.5 or later, which has threads"
	}
	return ""
}

var variable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?`)

// unsetVariables returns the variables in a line's double quotes, which HAProxy
// expands, that are not set in the environment.
func unsetVariables(line string) []string {
	var unset []string
	for _, m := range variable.FindAllStringSubmatch(line, -1) {
		if _, set := os.LookupEnv(m[1]); !set {
			unset = append(unset, m[1])
		}
	}
	return unset
}

// located is a pitfall with the file, or the key, that it is in.
type located struct {
	haproxy.Trap

	where string
}

// traps returns the pitfalls of the template and those of the groups' own settings.
func traps(pl subject) []located {
	var all []located
	for _, trap := range pl.Parsed.Traps(pl.Frame.Version) {
		all = append(all, located{trap, templateName(pl.Plan)})
	}
	for _, b := range pl.Backends {
		for _, trap := range slices.Concat(pl.Parsed.GroupTraps(b, pl.Frame.Version), pl.Parsed.RenewalTraps(pl.Frame, b), pl.Parsed.CarryTraps(b, pl.Frame.Version)) {
			where := templateName(pl.Plan)
			switch {
			case trap.Line > 0:
			case pl.discovered != nil && pl.discovered.names[b.Name]:
				where = pl.discovered.key(trap.Key)
			default:
				where = pl.Name + ".groups." + b.Name + "." + trap.Key
			}
			all = append(all, located{trap.Trap, where})
		}
	}
	return all
}
