package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStages(t *testing.T) {
	const packages = `
{"ImportPath":"m/e2e","TestImports":["testing","m/e2e/rig"]}
{"ImportPath":"m/e2e/chaos","XTestImports":["m/e2e/rig"]}
{"ImportPath":"m/e2e/rig","XTestImports":["m/e2e/rig"]}
{"ImportPath":"m/e2e/needs"}
{"ImportPath":"m/query","TestImports":["testing"]}
`
	for _, tt := range []struct {
		what, packages string
		want           [][]string
	}{
		{"those that load the machine come one by one", packages, [][]string{{"m/e2e/rig", "m/e2e/needs", "m/query"}, {"m/e2e"}, {"m/e2e/chaos"}}},
		{"there are only such", `{"ImportPath":"m/e2e","TestImports":["m/e2e/rig"]}`, [][]string{{"m/e2e"}}},
		{"there are none", "", nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			got, err := stages(strings.NewReader(tt.packages))
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
	if _, err := stages(strings.NewReader(`{"ImportPath":`)); err == nil {
		t.Error("half a package is none")
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct{ args, flags, packages []string }{
		{[]string{"-race", "-parallel", "8", "-timeout", "40m", "./..."}, []string{"-race", "-parallel", "8", "-timeout", "40m"}, []string{"./..."}},
		{[]string{"-v", "./e2e", "m/query"}, []string{"-v"}, []string{"./e2e", "m/query"}},
		{[]string{"-v"}, []string{"-v"}, []string{}},
	} {
		flags, packages := split(tt.args)
		if diff := cmp.Diff(tt.flags, flags); diff != "" {
			t.Errorf("flags of %v (-want +got)\n%s", tt.args, diff)
		}
		if diff := cmp.Diff(tt.packages, packages); diff != "" {
			t.Errorf("packages of %v (-want +got)\n%s", tt.args, diff)
		}
	}
}
