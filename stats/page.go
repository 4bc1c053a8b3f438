package stats

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/haproxy-zk/haproxy-zk/httpserver"
)

// Page answers requests for metrics: those of a registry, then HAProxy's own figures.
type Page struct {
	gatherer   prometheus.Gatherer
	collectors func() []*Collector
	writers    httpserver.Compressors
}

// NewPage returns a page with the metrics of a registry. collectors returns those of the
// running proxies; it is called by every request and must not block.
func NewPage(gatherer prometheus.Gatherer, collectors func() []*Collector) *Page {
	return &Page{gatherer: gatherer, collectors: collectors}
}

// ServeHTTP answers in Prometheus' text format, or in OpenMetrics if the client prefers
// it, and compressed if the client can decompress. Workers that do not answer delay it by
// a few seconds, and their figures are missing.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	readings := read(r.Context(), p.collectors())
	families, err := p.gatherer.Gather()
	if err != nil {
		http.Error(w, fmt.Sprintf("cannot gather metrics: %v", err), http.StatusInternalServerError)
		return
	}
	format := negotiate(r.Header)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	var out io.Writer = w
	if httpserver.AcceptsGzip(r.Header["Accept-Encoding"]) {
		w.Header().Set("Content-Encoding", "gzip")
		compressed := p.writers.Get(w)
		defer p.writers.Put(compressed)
		defer compressed.Close()
		out = compressed
	}
	if r.Method == http.MethodHead {
		return
	}
	encoder := expfmt.NewEncoder(out, format)
	for _, family := range families {
		if encoder.Encode(family) != nil {
			return // the client is gone
		}
	}
	open := format.FormatType() == expfmt.TypeOpenMetrics
	if writeText(out, readings, open) == nil && open {
		_, _ = expfmt.FinalizeOpenMetrics(out) // an error means that the client is gone
	}
}

// read reads all proxies in parallel; those that could not be read in time are missing.
func read(ctx context.Context, collectors []*Collector) []*Reading {
	all := make([]*Reading, len(collectors))
	var reading sync.WaitGroup
	for i, c := range collectors {
		reading.Go(func() { all[i], _ = c.Read(ctx) }) // the error is that of ctx
	}
	reading.Wait()
	return slices.DeleteFunc(all, func(r *Reading) bool { return r == nil })
}

// negotiate returns the format that a client prefers.
func negotiate(h http.Header) expfmt.Format {
	return expfmt.NegotiateAccept(h, expfmt.FmtText, expfmt.FmtOpenMetrics_1_0_0)
}
