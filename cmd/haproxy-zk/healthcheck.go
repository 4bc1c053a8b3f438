package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

const (
	askTimeout = 3 * time.Second
	// A whole document: the largest are some megabytes.
	maxAnswer = 256 << 20
)

func newHealthcheck(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "ask a running one for /healthz",
		Long:  "healthcheck asks the haproxy-zk that runs here, at HTTP_ADDR, for /healthz.\n\nExit codes: 0 it is well, 1 it is not, or does not answer within 3 s.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := ask(cmd.Context(), s.HTTPAddr, "/healthz")
			if err == nil && a.code != http.StatusOK {
				err = fmt.Errorf("/healthz answers %d: %s", a.code, a.body)
			}
			return err
		},
	}
}

// answer is what the HTTP port of a running haproxy-zk said.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// ask asks for a path at an address that a server listens on: one that is any
// of this host's means this host.
func ask(ctx context.Context, addr, path string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// Dial takes an unspecified address for the local system; a URL has no words
	// for it.
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", addr, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", addr, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer of %s: %w", addr, err)
	}
	return answer{response.StatusCode, response.Header, body}, nil
}
