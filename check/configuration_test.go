package check

import (
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// A version past its end of life is a note: --strict still passes.
func TestJudgeVersion(t *testing.T) {
	p := config.Proxy{Name: "web"}
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, v := range []haproxy.Version{{Major: 2, Minor: 6, Full: "2.6.12"}, {Major: 3, Minor: 4, Full: "3.4.0"}, {Major: 9, Minor: 0, Full: "9.0"}} {
		if found := judgeVersion(p, v, now); found != nil {
			t.Errorf("HAProxy %s: %+v", v, found)
		}
	}
	old := judgeVersion(p, haproxy.Version{Major: 2, Minor: 2, Full: "2.2.9"}, now)
	if len(old) != 1 || old[0].Severity != isNote || old[0].Where != "web.exec" || !strings.Contains(old[0].Remedy, "such as 3.2") ||
		old[0].Text != "HAProxy 2.2.9: released 2020-07, past its end of life since 2025-06: gets no security fixes" {
		t.Errorf("%+v", old)
	}
	for full, warned := range map[string]bool{"3.1.0": true, "3.1.0-1": true, "3.1-dev14": true, "3.1.1": false, "3.1.10": false, "3.10.0": false, "3.2.0": false} {
		v, err := haproxy.ParseVersion("HAProxy version " + full)
		if err != nil {
			t.Fatal(err)
		}
		if found := judgeVersion(p, v, time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)); (len(found) == 1 && found[0].Severity == isWarning) != warned {
			t.Errorf("HAProxy %s: %+v", full, found)
		}
	}
	fs := Findings{}
	fs.add(old...)
	if err := fs.Verdict(true); err != nil {
		t.Errorf("strict: %v", err)
	}
}
