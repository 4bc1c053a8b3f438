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
		Short: "print the instances that the running haproxy-zk serves",
		Long: `get prints, as JSON, the instances in service of all proxies, of one proxy, or of one
of its groups. It queries the haproxy-zk that runs on this host, at HTTP_ADDR.

Exit codes: 0 printed; 1 no such proxy or group, or no answer.`,
		Example: `  haproxy-zk get
  haproxy-zk get ngboss/web-basecentre`,
		ValidArgsFunction: s.completeGroups(true),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return noArgs(cmd, args[1:])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := s.client().Get(cmd.Context(), documentPath(strings.Join(args, "")))
			if err != nil {
				return err
			}
			if a.Code != http.StatusOK {
				return fmt.Errorf("%s answers %d: %s", s.httpAddrs()[0], a.Code, strings.TrimSpace(string(a.Body)))
			}
			if a.Header.Get("Haproxy-Zk-Stale") != "" {
				age := ""
				if seconds := a.Header.Get("Age"); seconds != "" {
					age = " for " + seconds + " s"
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "haproxy-zk: ZooKeeper has been unreachable%s: the instances may be out of date\n", age)
			}
			if held := a.Header.Get("Haproxy-Zk-Held"); held != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "haproxy-zk: %s of these instances have deregistered and are held in service: /readyz lists them, haproxy-zk release ends that\n", held)
			}
			_, err = cmd.OutOrStdout().Write(a.Body)
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
