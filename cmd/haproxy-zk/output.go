package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/report"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// watchEvery is how often a watched table is made anew.
const watchEvery = 2 * time.Second

// output is how a command writes its results.
type output struct {
	formats []report.Format
	// piped is the format into a pipe or file; a terminal gets a table.
	piped report.Format
	given string
	watch bool
}

// names returns the names of the formats.
func (o *output) names() (names []string) {
	for _, f := range o.formats {
		names = append(names, string(f))
	}
	return names
}

// declare declares the flags.
func (o *output) declare(cmd *cobra.Command) {
	defaults := "default table"
	if o.piped != report.Table {
		defaults = fmt.Sprintf("default table on a terminal, else %s", o.piped)
	}
	cmd.Flags().StringVarP(&o.given, "output", "o", "", fmt.Sprintf("%s (%s)", strings.Join(o.names(), ", "), defaults))
	complete(cmd, "output", o.names()...)
}

// declareWatch declares the flag --watch.
func (o *output) declareWatch(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "show changes until interrupted")
}

// format returns the format of a command's results.
func (o *output) format(cmd *cobra.Command) (report.Format, error) {
	screen, _ := screenOf(cmd)
	switch {
	case o.given == "" && screen.IsTerminal():
		return report.Table, nil
	case o.given == "":
		return o.piped, nil
	case !slices.Contains(o.names(), o.given):
		return "", exitcode.NewUsageError(fmt.Errorf("--output %q is no format: use one of %s", o.given, strings.Join(o.names(), ", ")))
	}
	return report.Format(o.given), nil
}

// show shows the page that write writes, or with --watch each one that differs from the
// last. what says what it waits for.
func (o *output) show(cmd *cobra.Command, what string, write func(context.Context, *terminal.Page) error) error {
	screen, side := screenOf(cmd)
	page := func(ctx context.Context) (*terminal.Page, error) {
		p := screen.Page()
		return p, write(ctx, p)
	}
	if o.watch {
		ctx, release := untilStopped(cmd.Context())
		defer release()
		return screen.Watch(ctx, watchEvery, page, func(err error) {
			fmt.Fprintf(cmd.ErrOrStderr(), "haproxy-zk: no answer, asking again: %v\n", err)
		})
	}
	stop := side.Progress(what)
	p, err := page(cmd.Context())
	stop()
	if failed := p.Show(); err == nil {
		err = failed
	}
	return err
}

// screenOf returns where a command writes its results, and where it says what it waits for.
func screenOf(cmd *cobra.Command) (out, side *terminal.Screen) {
	return terminal.NewScreen(cmd.OutOrStdout(), os.LookupEnv), terminal.NewScreen(cmd.ErrOrStderr(), os.LookupEnv)
}

// detailClient returns a client of the address that answers everything.
func (s *settings) detailClient() query.Client {
	if s.HTTPDetailAddr != "" {
		return query.NewClient(s.HTTPDetailAddr, s.httpFiles()).Patient()
	}
	return s.client().Patient()
}

// asking says what a command waits for that asks the running haproxy-zk.
func (s *settings) asking() string { return "asking " + s.HTTPAddrs()[0] }

// oneName returns the name in the arguments of a command, of at most so many parts.
func oneName(cmd *cobra.Command, args []string, least, most int) (report.Name, error) {
	if len(args) > 1 {
		return report.Name{}, noArgs(cmd, args[1:])
	}
	text := strings.Trim(strings.Join(args, ""), "/")
	n := report.ParseName(text)
	parts := 0
	for _, part := range []string{n.Proxy, n.Group, n.Instance} {
		if part != "" {
			parts++
		}
	}
	if parts < least || parts > most || parts < 3 && n.String() != text {
		return n, exitcode.NewUsageError(fmt.Errorf("%q is not %s; see %s --help", text, strings.TrimPrefix(cmd.Use, cmd.Name()+" "), cmd.CommandPath()))
	}
	return n, nil
}
