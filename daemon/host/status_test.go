package host

import (
	"strings"
	"testing"
)

func TestStatusExplainsARejectedConfiguration(t *testing.T) {
	for body, want := range map[string]string{
		`{"ready":true,"proxies":{}}`: "",
		`no JSON`:                     "",
		`{"ready":true,"configuration":{"error":"/etc/t:5: one\n/etc/c.json:2: \u001btwo","since":"2026-01-02T03:04:05Z"}}`: "  /etc/t:5: one\n  /etc/c.json:2: \\u001btwo\n",
	} {
		got := rejection([]byte(body))
		if head, rest, _ := strings.Cut(got, "\n"); rest != want || (want != "") != strings.Contains(head, "rejected since 2026-01-0") {
			t.Errorf("%s: %q", body, got)
		}
	}
}
