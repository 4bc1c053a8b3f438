package query

import (
	"net/http"
	"strings"
	"testing"
)

func TestWrongParameters(t *testing.T) {
	t.Parallel()
	awaiting := []string{"index", "wait", "top", "limit"}
	live := []string{"index", "wait", "detail", "passing", "top", "limit"}
	alone := "detail and passing answer what is the case now: give one of them alone"
	s := newServer(serving("p", group("web")))
	for _, c := range []struct {
		target string
		want   problem
	}{
		{"/?x=1", problem{Error: `unknown parameter "x"`, Parameters: awaiting}},
		{"/?pretty", problem{Error: `unknown parameter "pretty"`, Parameters: awaiting}},
		{"/p/web?index=1&b=2&a=1", problem{Error: `unknown parameter "a"`, Parameters: live}},
		{"/p?Index=1", problem{Error: `unknown parameter "Index"`, Parameters: live}},
		{"/?%0a%1b=", problem{Error: `unknown parameter "\n\x1b"`, Parameters: awaiting}},
		{"/?" + strings.Repeat("z", 1000), problem{Error: `unknown parameter "` + strings.Repeat("z", maxEcho) + `"…`, Parameters: awaiting}},
		{"/?detail", problem{Error: `unknown parameter "detail"`, Parameters: awaiting}},
		{"/p?detail&index=1", problem{Error: alone, Parameters: live}},
		{"/p/web?detail&passing", problem{Error: alone, Parameters: live}},
		{"/?top=load", problem{Error: `top="load" is no order: use one of errors, sessions, rate`, Parameters: awaiting}},
		{"/?limit=3", problem{Error: `top="" is no order: use one of errors, sessions, rate`, Parameters: awaiting}},
		{"/p?top=rate&limit=0", problem{Error: `limit="0" is not a number of 1 to 1000`, Parameters: live}},
		{"/p?top=rate&limit=1001", problem{Error: `limit="1001" is not a number of 1 to 1000`, Parameters: live}},
		{"/p/web?top=rate&detail", problem{Error: "top answers what is the case now: give it alone, or with limit", Parameters: live}},
		{"/openapi.json?x=1", problem{Error: `unknown parameter "x"`, Parameters: []string{}}},
		{"/p/config?index=1", problem{Error: `unknown parameter "index"`, Parameters: []string{}}},
		{"/?index=1&index=1", problem{Error: "index is given 2 times: give it once", Parameters: awaiting}},
		{"/?index=%zz", problem{Error: `the query is malformed: invalid URL escape "%zz"`, Parameters: awaiting}},
		{"/?a;b", problem{Error: "the query is malformed: invalid semicolon separator in query", Parameters: awaiting}},
		{"/?wait=1s", problem{Error: "wait is without index: give the Haproxy-Zk-Index of the answer that you have, or 0", Parameters: awaiting}},
		{"/?index=", problem{Error: `index="" is not an index: give the Haproxy-Zk-Index of the answer that you have, or 0`, Parameters: awaiting}},
		{"/?index=-1", problem{Error: `index="-1" is not an index: give the Haproxy-Zk-Index of the answer that you have, or 0`, Parameters: awaiting}},
		{"/?index=18446744073709551616", problem{Error: `index="18446744073709551616" is not an index: give the Haproxy-Zk-Index of the answer that you have, or 0`, Parameters: awaiting}},
		{"/?index=1e3", problem{Error: `index="1e3" is not an index: give the Haproxy-Zk-Index of the answer that you have, or 0`, Parameters: awaiting}},
		{"/?index=1&wait=", problem{Error: `wait="" is not a wait: give a duration of 0s to 10m0s, as in 30s`, Parameters: awaiting}},
		{"/?index=1&wait=30", problem{Error: `wait="30" is not a wait: give a duration of 0s to 10m0s, as in 30s`, Parameters: awaiting}},
		{"/?index=1&wait=-1s", problem{Error: `wait="-1s" is not a wait: give a duration of 0s to 10m0s, as in 30s`, Parameters: awaiting}},
		{"/?index=1&wait=601s", problem{Error: `wait="601s" is not a wait: give a duration of 0s to 10m0s, as in 30s`, Parameters: awaiting}},
		{"/?index=1&wait=9999999999h", problem{Error: `wait="9999999999h" is not a wait: give a duration of 0s to 10m0s, as in 30s`, Parameters: awaiting}},
	} {
		w := get(s, c.target)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%.50s: status %d", c.target, w.Code)
		}
		expectProblem(t, w.Body.Bytes(), c.want)
	}
}

// Probes and scrapers add parameters of their own, and must not fail because of that.
func TestProbesMayHaveAnyParameters(t *testing.T) {
	t.Parallel()
	s := newServer(serving("p"))
	for _, target := range []string{"/healthz?ts=1", "/readyz?%zz", "/metrics?name[]=x&format=prometheus"} {
		if w := get(s, target); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", target, w.Code)
		}
	}
}
