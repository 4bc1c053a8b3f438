package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

func newHealthcheck(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "query /healthz of the running haproxy-zk",
		Long: `healthcheck queries /healthz of the haproxy-zk that runs on this host, at HTTP_ADDR.

Exit codes: 0 healthy; 1 not healthy, or no answer within 3 s.`,
		Example: "  haproxy-zk healthcheck --http-addr 127.0.0.1:21000",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := s.client().Get(cmd.Context(), "/healthz")
			if err == nil && a.Code != http.StatusOK {
				err = fmt.Errorf("/healthz answers %d: %s", a.Code, a.Body)
			}
			return err
		},
	}
}
