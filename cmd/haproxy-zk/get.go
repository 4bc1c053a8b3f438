package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func newGet(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "get [PROXY[/GROUP]]",
		Short: "print the instances that a running one serves",
		Long:  "get prints what the haproxy-zk that runs here answers at HTTP_ADDR: the instances\nof all proxies, of one, or of one group of it, as JSON.\n\nExit codes: 0 printed, 1 no such proxy or group, or no answer.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return noArgs(cmd, args[1:])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := ask(cmd.Context(), s.HTTPAddr, documentPath(strings.Join(args, "")))
			if err != nil {
				return err
			}
			if a.code != http.StatusOK {
				return fmt.Errorf("%s answers %d: %s", s.HTTPAddr, a.code, strings.TrimSpace(string(a.body)))
			}
			if a.header.Get("Haproxy-Zk-Stale") != "" {
				age := ""
				if seconds := a.header.Get("Age"); seconds != "" {
					age = ", last heard " + seconds + " s ago"
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "haproxy-zk: ZooKeeper is away%s: this may be stale\n", age)
			}
			if held := a.header.Get("Haproxy-Zk-Held"); held != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "haproxy-zk: %s of these have left ZooKeeper and are held: /readyz tells which, haproxy-zk release lets them go\n", held)
			}
			_, err = cmd.OutOrStdout().Write(a.body)
			return err
		},
	}
}

// documentPath is the path of PROXY, PROXY/GROUP or nothing.
func documentPath(name string) string {
	proxy, group, both := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	path := "/" + url.PathEscape(proxy)
	if both {
		path += "/" + url.PathEscape(group)
	}
	return path
}
