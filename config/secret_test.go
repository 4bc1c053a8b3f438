package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	p := &Proxy{Name: "web", Admin: Admin{User: "admin", Password: "canary"}, ZooKeeper: ZooKeeper{Auth: "canary"}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.2s", "%z"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", p, p.Admin, p.Admin.Password)
	}
	data, err := json.Marshal([]any{p, p.Admin.Password})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(data)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "proxy", p, "admin", p.Admin, "password", p.Admin.Password)
	}
	out.WriteString(fmt.Errorf("a %w", fmt.Errorf("%v", p.Admin.Password)).Error())
	out.WriteString(p.Admin.Password.String() + p.Admin.Password.GoString())
	for _, leak := range []string{"canary", "63616e617279", "63616E617279", "99, 97", "99 97"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%s is in:\n%s", leak, out.String())
		}
	}
	if p.Admin.Password.Reveal() != "canary" {
		t.Error("the secret is lost")
	}
}
