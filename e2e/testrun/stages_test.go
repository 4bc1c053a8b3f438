package main

import (
	"os"
	"path/filepath"
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
		want           []stage
	}{
		{"those that load the machine come one by one", packages, []stage{{{"-v", "m/e2e/rig", "m/e2e/needs", "m/query"}}, {{"-v", "m/e2e"}}, {{"-v", "m/e2e/chaos"}}}},
		{"there are only such", `{"ImportPath":"m/e2e","TestImports":["m/e2e/rig"]}`, []stage{{{"-v", "m/e2e"}}}},
		{"there are none", "", nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			listed, err := decode(strings.NewReader(tt.packages))
			if err != nil {
				t.Fatal(err)
			}
			got, err := stages([]string{"-v"}, listed)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
	if _, err := decode(strings.NewReader(`{"ImportPath":`)); err == nil {
		t.Error("half a package is none")
	}
}

// Every test of a package that is divided is in one part, and one only.
func TestDivide(t *testing.T) {
	dir := t.TempDir()
	const text = `package p
func TestMain(m *testing.M) {}
func TestA(t *testing.T) {}
func TestAB(t *testing.T) {}
func FuzzA(f *testing.F) {}
func helper() {}
func TestD(t *testing.T) {}
func TestE(t *testing.T) {}
`
	if err := os.WriteFile(filepath.Join(dir, "p_test.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := stages([]string{"-v"}, []listed{{Dir: dir, ImportPath: "m/supervisor", TestGoFiles: []string{"p_test.go"}}, {ImportPath: "m/query"}})
	want := []stage{{
		{"-v", "-run=^(TestMain|TestAB|TestD)$", "m/supervisor"},
		{"-v", "-skip=^(TestMain|TestAB|TestD)$", "m/supervisor"},
		{"-v", "m/query"},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
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
