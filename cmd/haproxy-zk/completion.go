package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
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
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		const never = cobra.ShellCompDirectiveNoFileComp
		if len(args) > 0 || s.load(cmd) != nil {
			return nil, never
		}
		names, err := s.groups(cmd.Context(), proxies)
		if err != nil {
			return nil, never
		}
		return names, never
	}
}

func (s *settings) groups(ctx context.Context, proxies bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	answer, err := s.client().Get(ctx, "/")
	if err != nil {
		return nil, err
	}
	var document map[string]map[string]json.RawMessage
	if err := json.Unmarshal(answer.Body, &document); err != nil {
		return nil, err
	}
	var names []string
	for _, proxy := range slices.Sorted(maps.Keys(document)) {
		if proxies {
			names = append(names, proxy)
		}
		for _, group := range slices.Sorted(maps.Keys(document[proxy])) {
			names = append(names, proxy+"/"+group)
		}
	}
	return names, nil
}
