package stats

import (
	"compress/gzip"
	"flag"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write the golden files")

// get requests a page of two workers, of which one does not answer.
func get(t *testing.T, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	one, other := startWorker(t, 11), startWorker(t, 12)
	one.had(1000000)
	other.replies("nonsense")
	fleet := &fakeFleet{}
	fleet.serve(one, other)
	reg := prometheus.NewRegistry()
	c, _ := fleet.collector(reg)
	page := NewPage(reg, func() []*Collector { return []*Collector{c} })
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response := httptest.NewRecorder()
	page.ServeHTTP(response, request)
	return response
}

func TestPage(t *testing.T) {
	t.Parallel()
	for file, accept := range map[string]string{
		"page.txt":         "",
		"openmetrics.txt":  "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
		"page.txt ":        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,*/*;q=0.1",
		"openmetrics.txt ": "application/openmetrics-text; version=1.0.0; charset=utf-8",
	} {
		response := get(t, "Accept", accept)
		golden := filepath.Join("testdata", strings.TrimSpace(file))
		if *update {
			if err := os.WriteFile(golden, response.Body.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), response.Body.String()); diff != "" {
			t.Errorf("%s: -want +got\n%s", accept, diff)
		}
		open := strings.HasPrefix(response.Header().Get("Content-Type"), "application/openmetrics-text; version=1.0.0")
		if open != strings.HasPrefix(file, "openmetrics") {
			t.Errorf("%s: %s", accept, response.Header().Get("Content-Type"))
		}
	}
}

// What Prometheus' own parser reads is what was meant.
func TestPageIsParsed(t *testing.T) {
	t.Parallel()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(get(t).Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range [][]family{instanceFamilies(), groupFamilies(), frontendFamilies()} {
		for _, f := range all {
			switch got := families[f.name]; {
			case got == nil:
				t.Errorf("no %s", f.name)
			case f.counter != strings.HasSuffix(f.name, "_total") || f.counter != (got.GetType().String() == "COUNTER"):
				t.Errorf("%s is a %s", f.name, got.GetType())
			case got.GetHelp() != f.help || len(got.GetMetric()) != len(f.series):
				t.Errorf("%s: %v", f.name, got)
			}
		}
	}
}

// OpenMetrics forbids two metrics of one name, and counters have none of their own there:
// a gauge may have it already.
func TestNoOpenMetricsNameIsUsedTwice(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for line := range strings.Lines(get(t, "Accept", "application/openmetrics-text;version=1.0.0").Body.String()) {
		if name, typed := strings.CutPrefix(line, "# TYPE "); typed {
			name, _, _ = strings.Cut(name, " ")
			if names[name] {
				t.Errorf("%s is there twice", name)
			}
			names[name] = true
		}
	}
	if len(names) < 30 {
		t.Errorf("only %d metrics", len(names))
	}
}

func TestPageIsCompressed(t *testing.T) {
	t.Parallel()
	for encoding, want := range map[string]bool{"gzip": true, "deflate, gzip;q=0.8": true, "identity": false, "": false, "gzip;q=0": false} {
		response := get(t, "Accept-Encoding", encoding)
		if compressed := response.Header().Get("Content-Encoding") == "gzip"; compressed != want {
			t.Errorf("%q: compressed is %v", encoding, compressed)
			continue
		}
		body := io.Reader(response.Body)
		if want {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		text, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(text), "\nhaproxyzk_instance_up{") || !strings.HasSuffix(string(text), "\n") {
			t.Errorf("%q: %s, %v", encoding, text, err)
		}
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	if got := escape("a\\b\"c\nd"); got != `a\\b\"c\nd` {
		t.Errorf("%s", got)
	}
}
