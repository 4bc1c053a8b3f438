package query

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

const (
	// A configuration of 20,000 servers has 3 MB.
	maxConfiguration  = 64 << 20
	configurationWait = 5 * time.Second
)

// configurations keeps the masked configurations of the proxies as pages, until their
// files change.
type configurations struct {
	turn chan struct{} // of one: only its holder reads files, and uses kept
	kept map[string]configuration
}

// configuration is a file as it was when it was read.
type configuration struct {
	file fs.FileInfo
	page *page
}

func newConfigurations() *configurations {
	return &configurations{turn: make(chan struct{}, 1), kept: make(map[string]configuration)}
}

// read returns the page of a file. Others that are not in known are forgotten. It blocks
// while the disk does; the others then wait until ctx is done.
func (c *configurations) read(ctx context.Context, path string, known func(path string) bool) (*page, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if before, ok := c.kept[path]; ok && os.SameFile(before.file, now) && before.file.ModTime().Equal(now.ModTime()) && before.file.Size() == now.Size() {
		return before.page, nil
	}
	text, err := ownfile.Opener{}.Read(path, maxConfiguration)
	if err != nil {
		return nil, err
	}
	for other := range c.kept {
		if !known(other) {
			delete(c.kept, other)
		}
	}
	masked := haproxy.Mask(text)
	p := newPage(typeText, 0, func() []byte { return masked })
	c.kept[path] = configuration{now, p}
	return p, nil
}

// answerConfig answers with the configuration that a proxy's HAProxy runs.
func (s *Server) answerConfig(w http.ResponseWriter, r request) {
	proxies, e := s.documents.read()
	i, known := s.proxy(w, r, e)
	if !known {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), configurationWait)
	defer cancel()
	p, err := s.configurations.read(ctx, proxies[i].ConfigFile(), func(path string) bool {
		return slices.ContainsFunc(proxies, func(p Proxy) bool { return p.ConfigFile() == path })
	})
	if err != nil {
		s.logger.Debug("cannot read the configuration of HAProxy", "error", err)
		refuse(w, http.StatusServiceUnavailable, problem{Error: "HAProxy's configuration cannot be read: it has not been started yet, or the disk does not answer"})
		return
	}
	p.answer(w, r.Request)
}
