package daemon

import (
	"context"
	"log/slog"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// haproxyMessages logs the messages that HAProxy prints when it starts, individually
// and at HAProxy's level. A reload logs only new kinds of messages. Its method belongs
// to one goroutine.
type haproxyMessages struct {
	log    *slog.Logger
	before map[string]bool // the kinds of messages of the last start
}

// maxMessage bounds the text of one logged message.
const maxMessage = 2000

func (h *haproxyMessages) said(text string) {
	now := make(map[string]bool)
	messages := haproxy.ParseMessages(text)
	if len(messages) == 0 && strings.TrimSpace(withoutNotices(text)) != "" {
		messages = []haproxy.Message{{Level: haproxy.Warning, Text: strings.TrimSpace(text)}}
	}
	for _, m := range messages {
		key := m.Kind()
		if !now[key] && !h.before[key] {
			h.report(m)
		}
		now[key] = true
	}
	h.before = now
}

func (h *haproxyMessages) report(m haproxy.Message) {
	level := slog.LevelWarn
	if m.Level == haproxy.Alert {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("text", m.Text[:min(len(m.Text), maxMessage)])}
	if m.Line > 0 {
		attrs = append(attrs, slog.Int("rendered_line", m.Line))
	}
	h.log.LogAttrs(context.Background(), level, "HAProxy reported a problem at its start", attrs...)
}

// withoutNotices removes the lines in which HAProxy names its version.
func withoutNotices(text string) string {
	var rest strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "[NOTICE]") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}
