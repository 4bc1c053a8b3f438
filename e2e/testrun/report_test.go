package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Failures are printed with the reason first, and then the remaining output of the
// test.
func TestReport(t *testing.T) {
	stream, err := os.ReadFile("testdata/failing.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/failing.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r := newReport(&out)
	for line := range strings.Lines(string(stream)) {
		r.take(0, line)
	}
	r.used("together", 20*time.Second, 30*time.Second, 2)
	r.used("e2e", 10*time.Second, 5*time.Second, 2)
	r.end(map[string]string{"2.2": "it is not available\n"})
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// While tests run without output, progress is printed.
func TestReportOfProgress(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	r.progress()
	r.progress()
	for _, line := range []string{
		`{"Action":"run","Package":"m/e2e","Test":"TestDone"}`,
		`{"Action":"pass","Package":"m/e2e","Test":"TestDone"}`,
		`{"Action":"run","Package":"m/e2e","Test":"TestLong"}`,
		`{"Action":"run","Package":"m/e2e","Test":"TestLong/2.6"}`,
		`{"Action":"run","Package":"m/e2e","Test":"TestLong/3.0"}`,
		`{"Action":"run","Package":"m/query","Test":"TestOther"}`,
		`{"Action":"output","Package":"m/e2e","Test":"TestLong/2.6","Output":"not yet of interest\n"}`,
	} {
		r.take(0, line+"\n")
	}
	r.progress()
	want := "testrun: 0s: compiling\ntestrun: 0s: 1 passed, 0 failed, now e2e TestLong/2.6, e2e TestLong/3.0, query TestOther\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Tests that only wait for their subtests are not among the slowest.
func TestReportOfTheSlowest(t *testing.T) {
	r := newReport(&strings.Builder{})
	for _, line := range []string{
		`{"Action":"run","Package":"m/e2e","Test":"TestBoth"}`,
		`{"Action":"run","Package":"m/e2e","Test":"TestBoth/2.6"}`,
		`{"Action":"run","Package":"m/e2e","Test":"TestBoth/3.0"}`,
		`{"Action":"pass","Package":"m/e2e","Test":"TestBoth/2.6","Elapsed":2.2}`,
		`{"Action":"pass","Package":"m/e2e","Test":"TestBoth/3.0","Elapsed":3.2}`,
		`{"Action":"pass","Package":"m/e2e","Test":"TestBoth","Elapsed":5.4}`,
		`{"Action":"pass","Package":"m/query","Test":"TestQuick","Elapsed":0.9}`,
		`{"Action":"pass","Package":"m/query","Test":"TestSlow","Elapsed":1.9}`,
	} {
		r.take(0, line+"\n")
	}
	if diff := cmp.Diff([]string{"e2e TestBoth/3.0 (3s)", "e2e TestBoth/2.6 (2s)"}, r.slowest(2)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Go test does not report the end of a test whose last line was printed together with
// another.
func TestReportOfAPackageWithoutAFailedTest(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	for _, line := range []string{
		`{"Action":"run","Package":"m/syncer","Test":"TestMute"}`,
		`{"Action":"fail","Package":"m/syncer","Test":"TestMute"}`,
		`{"Action":"run","Package":"m/syncer","Test":"TestGlued"}`,
		`{"Action":"output","Package":"m/syncer","Test":"TestGlued","Output":"ended--- FAIL: TestGlued\n"}`,
		`{"Action":"output","Package":"m/syncer","Output":"FAIL\tm/syncer\t1s\n"}`,
		`{"Action":"fail","Package":"m/syncer"}`,
	} {
		r.take(0, line+"\n")
	}
	r.end(nil)
	want := `--- FAIL: syncer TestMute, without output
--- no end: syncer TestGlued
ended--- FAIL: TestGlued
FAIL	m/syncer	1s
failed: syncer: no test of it was reported to have failed
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
