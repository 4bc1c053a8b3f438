package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/report"
)

// completeWithin is how long a shell waits for names.
const completeWithin = time.Second

// complete makes the shell offer the values of a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	// It fails for a flag that is not declared.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeGroups offers the groups of the running haproxy-zk as PROXY/GROUP, and its
// proxies where one alone is an argument too.
func (s *settings) completeGroups(proxies bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (names []string, never cobra.ShellCompDirective) {
		never = cobra.ShellCompDirectiveNoFileComp
		if len(args) > 0 || s.load(cmd) != nil {
			return nil, never
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		all, err := report.GroupNames(ctx, s.client())
		if err != nil {
			return nil, never
		}
		for _, n := range all {
			if proxies || n.Group != "" {
				names = append(names, n.String())
			}
		}
		return names, never
	}
}

// completeInstances offers PROXY/GROUP/ and, behind it, the instances in service.
func (s *settings) completeInstances(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const never = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 || s.load(cmd) != nil {
		return nil, never
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	if n := report.ParseName(typed); strings.Count(typed, "/") > 1 {
		names, err := report.InstanceNames(ctx, s.client(), report.Name{Proxy: n.Proxy, Group: n.Group})
		if err != nil {
			return nil, never
		}
		return names, never
	}
	names, _ := s.completeGroups(false)(cmd, args, typed)
	for i := range names {
		names[i] += "/"
	}
	return names, never | cobra.ShellCompDirectiveNoSpace
}
