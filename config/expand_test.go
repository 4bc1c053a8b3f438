package config

import "testing"

func TestExpand(t *testing.T) {
	variables := map[string]string{"HOME": "/home/proxy", "A": "${HOME}", "EMPTY": "", "group": "never"}
	lookup := func(name string) (string, bool) {
		value, set := variables[name]
		return value, set
	}
	ours := []string{"group", "app"}
	for name, test := range map[string]struct {
		text, want, err string
	}{
		"plain":           {text: "a $ b } {} $HOME", want: "a $ b } {} $HOME"},
		"twice":           {text: "${HOME}${HOME}/x", want: "/home/proxy/home/proxy/x"},
		"empty":           {text: "a${EMPTY}b", want: "ab"},
		"once only":       {text: "${A}", want: "${HOME}"},
		"ours come first": {text: "/${group}/${app}", want: "/${group}/${app}"},
		"unset": {
			text: "${X}${HOME}${Y}${X}",
			err:  "the environment does not set ${X}, ${Y}: set it or correct the name (predefined here: ${group}, ${app})",
		},
		"not closed": {text: "${HOME}/${HOME", err: `"${HOME}/${HOME" has an unclosed ${: add the }`},
		"no name": {
			text: "${HOME:-/root}",
			err:  `"${HOME:-/root}" is not an environment variable: write it as ${NAME} (predefined here: ${group}, ${app})`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := expand(test.text, ours, lookup)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if said := errorText(err); said != test.err {
				t.Errorf("got error %q, want %q", said, test.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
