package haproxy

import (
	"strings"
	"testing"
)

// HAProxy checks servers for the first time within the shortest `inter` of the groups whose
// free slots it would check later.
func TestFirstChecksComeWithinInter(t *testing.T) {
	const template = "global\n$sockets\ndefaults\n    mode http\nfrontend f\n    bind :1\n$default_backend\n$backend\n"
	group := func(settings string, lines ...string) Backend {
		b := testBackend()
		b.Servers.Params, b.Lines = strings.Fields(settings), lines
		return b
	}
	discovered := group("check inter 3s downinter 1m")
	for _, tt := range []struct {
		name, template string
		backends       []Backend
		discovered     *Backend
		want           string
	}{
		{"without downinter", template, []Backend{group("check inter 60s")}, nil, ""},
		{"a shorter one", template, []Backend{group("check inter 2s downinter 1s")}, nil, ""},
		{"a longer one", template, []Backend{group("check inter 1500 downinter 1m")}, nil, "1500"},
		{"the default of inter", template, []Backend{group("check downinter 1m")}, nil, "2000"},
		{"no checks", template, []Backend{group("inter 1s downinter 1m")}, nil, ""},
		{"a variable", template, []Backend{group(`check inter 1s downinter "$X"`)}, nil, ""},
		{"the shortest of several", template, []Backend{group("check inter 9s"), group("check inter 5s downinter 1m"), group("check inter 4s downinter 5s")}, nil, "4000"},
		{"the group's lines", template, []Backend{group("check", "default-server inter 4s downinter 20s")}, nil, "4000"},
		{"the servers' own settings win", template, []Backend{group("check downinter 1s", "default-server inter 4s downinter 20s")}, nil, ""},
		{"the template's defaults", strings.Replace(template, "mode http", "default-server inter 4s downinter 20s", 1), []Backend{group("check")}, nil, "4000"},
		{"groups that may be discovered", template, nil, &discovered, "3000"},
		{"the template has its own", strings.Replace(template, "global\n", "global\n    max-spread-checks 7s\n", 1), []Backend{group("check inter 1s downinter 1m")}, nil, "7s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := ParseTemplate(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			rows := make([][]Row, len(tt.backends))
			text := string(parsed.Render(Frame{Sockets: []string{"/s"}, Discovered: tt.discovered, Version: v26}, tt.backends, rows))
			_, got, _ := strings.Cut(text, "max-spread-checks ")
			if got, _, _ = strings.Cut(got, "\n"); got != tt.want || strings.Count(text, "max-spread-checks") > 1 {
				t.Errorf("%q, want %q\n%s", got, tt.want, text)
			}
		})
	}
}
