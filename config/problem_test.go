package config

import "testing"

func TestProblemString(t *testing.T) {
	for want, p := range map[string]Problem{
		"a.json:3: web.exec: wrong": {File: "a.json", Line: 3, Key: "web.exec", Text: "wrong"},
		"a.json:3: wrong":           {File: "a.json", Line: 3, Text: "wrong"},
		"a.json: wrong":             {File: "a.json", Text: "wrong"},
		"wrong":                     {Text: "wrong"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProblemsError(t *testing.T) {
	p := Problems{{File: "a.json", Line: 1, Text: "one"}, {File: "a.json", Line: 2, Text: "two"}}
	if got, want := p.Error(), "a.json:1: one\na.json:2: two"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
