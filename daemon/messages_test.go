package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestHAProxyMessagesAreLoggedIndividually(t *testing.T) {
	var out bytes.Buffer
	h := &haproxyMessages{log: slog.New(slog.NewTextHandler(&out, nil))}
	const text = `[NOTICE]   (12066) : haproxy version is 3.0.11-1+deb13u4
[WARNING]  (12066) : config : log format ignored for frontend 'public' since it has no log address.
[WARNING]  (12066) : config : parsing [/run/p.cfg:17] : 'option x' is deprecated.
[ALERT]    (12066) : [/usr/sbin/haproxy.main()] FD limit (20000) too low for maxconn=20000.
`
	h.said(text)
	for _, line := range []string{
		"level=WARN msg=\"HAProxy reported a problem at its start\" text=\"log format ignored for frontend 'public' since it has no log address.\"\n",
		"level=WARN msg=\"HAProxy reported a problem at its start\" text=\"'option x' is deprecated.\" rendered_line=17\n",
		"level=ERROR msg=\"HAProxy reported a problem at its start\" text=\"[/usr/sbin/haproxy.main()] FD limit (20000) too low for maxconn=20000.\"\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %q in\n%s", line, out.String())
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
	out.Reset()
	h.said(strings.NewReplacer("12066", "13000", ":17]", ":19]").Replace(text))
	if out.Len() > 0 {
		t.Errorf("nothing is new, and it is logged again:\n%s", out.String())
	}
	h.said("")
	h.said(text)
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("what has gone and come back is new, but %d lines:\n%s", n, out.String())
	}
	out.Reset()
	h.said("Segmentation fault\n")
	if !strings.Contains(out.String(), "Segmentation fault") {
		t.Errorf("words that are no message are lost: %q", out.String())
	}
}
