package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/files"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// filesWithin is how long the files of all groups may take to be read: a hundred thousand
// take seconds.
const filesWithin = 20 * time.Second

// checkDirectory checks whether the directory of a proxy's instances can be read, and
// which users can write to it.
func checkDirectory(p config.Proxy) []finding {
	if p.Dir == "" {
		return nil
	}
	f := finding{Proxy: p.Name, Severity: isError, Where: p.Name + ".dir"}
	info, err := os.Stat(p.Dir)
	if err == nil && info.IsDir() {
		err = list(p.Dir)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Severity = isWarning
		f.Text = p.Dir + " does not exist, or is not there yet: it is waited for"
		f.Remedy = "create it, mount it, or correct the path"
	case err != nil:
		f.Text = fmt.Sprintf("user %d cannot read the directory %s: %v", os.Geteuid(), p.Dir, err)
		f.Remedy = "let the user that haproxy-zk runs as read and enter it"
	case !info.IsDir():
		f.Text, f.Remedy = p.Dir+" is not a directory", "name the directory of the instances"
	case info.Mode().Perm()&0o002 != 0:
		f.Severity = isWarning
		f.Text = fmt.Sprintf("everybody on this host may write to %s (mode %04o), and so receive requests", p.Dir, info.Mode().Perm())
		f.Remedy = "chmod o-w " + p.Dir
	default:
		return nil
	}
	return []finding{f}
}

// list returns why the entries of a directory cannot be read.
func list(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.ReadDir(1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_, err = os.Stat(dir + "/.") // to be entered it must be executable
	return err
}

// readDirectory reads the directory of a proxy and reports what is not used in it. It also
// returns the names of the discovered groups.
func readDirectory(ctx context.Context, p config.Proxy, own *syncer.Listeners) (found []finding, groups []string) {
	ctx, cancel := context.WithTimeout(ctx, filesWithin)
	defer cancel()
	pl := &plan.Plan{Proxy: p}
	refused := &refusals{check: pl.Admission(own).Check, key: ".dir"}
	sink := newCollector(p)
	o := pl.Directory(refused.admit)
	o.Sink, o.Metrics, o.Logger = sink, files.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler)
	d := files.New(o)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	select {
	case <-sink.complete:
	case <-ctx.Done():
	}
	status, registrations := d.ConnectionStatus(), d.Registrations()
	cancel()
	if err := <-ended; err != nil {
		status.Problem = err.Error()
	}
	read := sink.read()
	return slices.Concat(judgeDirectory(p, read, status, registrations), refused.judge(p)), read.names
}

// judgeDirectory reports what was read of a directory.
func judgeDirectory(p config.Proxy, read reading, status registry.ConnectionStatus, registrations []registry.Registrations) (found []finding) {
	at := p.Name + ".dir"
	if !status.Connected {
		return nil // found without reading the groups
	}
	if status.Denied != "" {
		found = append(found, finding{Proxy: p.Name, Severity: isError, Where: at, Text: status.Denied, Remedy: "see the permissions of its directories and files"})
	}
	for i, r := range registrations {
		if i == maxDiscovered {
			found = append(found, finding{Proxy: p.Name, Severity: isWarning, Where: at, Text: fmt.Sprintf("%s also have entries that are not used, or are no ip:port", plural(len(registrations)-i, "more group"))})
			break
		}
		path, group := p.Dir, ".groups."+r.Group
		if r.Group != registry.AllGroups {
			path += "/" + r.Group
		}
		if !slices.ContainsFunc(p.Groups, func(g config.Group) bool { return g.Name == r.Group }) {
			group = ".groups.*"
		}
		found = append(found, noteFormats(p, group, path, r)...)
		for _, f := range r.Findings {
			if f.Kind != registry.Refused {
				found = append(found, finding{Proxy: p.Name, Severity: isWarning, Where: at, Text: registrationText(path, r, f), Remedy: f.Remedy})
			}
		}
	}
	for _, g := range p.Groups {
		group, isRead := read.groups[g.Name]
		switch {
		case !isRead && status.Denied == "":
			found = append(found, finding{Proxy: p.Name, Severity: isError, Where: at, Text: fmt.Sprintf("%s/%s could not be read within %s", p.Dir, g.Name, filesWithin)})
		case isRead && len(group.Instances) == 0 && group.Skipped == 0 && len(g.Instances) == 0 && len(p.ZooKeeper.Servers) == 0:
			found = append(found, finding{
				Proxy: p.Name, Severity: isWarning, Where: at,
				Text:   fmt.Sprintf("%s/%s/instances has no instances, or is not there yet: it is waited for", p.Dir, g.Name),
				Remedy: "start an instance, or correct the name of the group or the directory",
			})
		}
	}
	return found
}
