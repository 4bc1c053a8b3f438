package haproxy

import (
	"strings"
	"testing"
	"time"
)

// requestLines are lines of HAProxy's log and the requests they are about; an empty
// backend means none. The first ones are of HAProxy 2.0, 2.2, 2.6, 3.0 and 3.2 with the
// built-in templates.
func requestLines() map[string]Request {
	const at = "127.0.0.1:36904 [29/Nov/2026:20:12:14.655] "
	return map[string]Request{
		at + `public web/web1 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /x HTTP/1.1"`:                                                                                    {"web", 70 * time.Millisecond},
		at + `public~ web/web1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1" 0/0000000000000000/0/0/0 -/TLSv1.3/TLS_AES_256_GCM_SHA384`: {"web", 109 * time.Millisecond},
		at + `public web/<NOSRV> 0/-1/-1/-1/10001 503 217 - - sQ-- 1/1/0/0/0 0/1 "GET / HTTP/1.1"`:                                                                              {"web", 10001 * time.Millisecond},
		at + `public web/web1 0/0/0/-1/50 -1 0 - - CD-- 1/1/0/0/3 0/0 "GET / HTTP/1.1"`:                                                                                         {"web", 50 * time.Millisecond},
		at + `public public/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"`:                                                                                      {"public", 0},
		at + `public web/web1@10.0.0.9:8080 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /x HTTP/1.1"`:                                                                      {"web", 70 * time.Millisecond},
		at + `public web/web1@fd00::9:8080 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /x HTTP/1.1"`:                                                                       {"web", 70 * time.Millisecond},
		at + `public web/<NOSRV>@-:- 0/-1/-1/-1/10001 503 217 - - sQ-- 1/1/0/0/0 0/1 "GET / HTTP/1.1"`:                                                                          {"web", 10001 * time.Millisecond},
		at + `public redis/redis3@10.0.0.9:6379 1/0/5007 212 -- 1/1/1/1/0 0/0`:                                                                                                  {"redis", 5007 * time.Millisecond},
		at + `public redis/redis3 1/0/5007 212 -- 1/1/1/1/0 0/0`:                                                                                                                {"redis", 5007 * time.Millisecond},
		at + `public redis/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0`:                                                                                                                  {"redis", 0},
		`unix:1 [29/Nov/2026:20:12:14.655] public web/web1 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"`:                                                        {"web", 70 * time.Millisecond},
		`2001:db8::1:443 [29/Nov/2026:20:12:14.655] public web/web1 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"`:                                               {"web", 70 * time.Millisecond},
		at + `public web/web1 0/0/1/69/4294967295 200 2750 - - ---- `:                                                                                                           {"web", 4294967295 * time.Millisecond},

		at + `public web/web1 0/0/1/69/+70 200 +2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"`:                                          {}, // logasap
		at + `public web/web1 0/0/1/69/4294967296 200 2750 - - ---- `:                                                                  {},
		at + `public web/web1 0/0/1/69/-1 200 2750 - - ---- `:                                                                          {},
		at + `public web/web1 0/0/1/69 200 2750 - - ---- `:                                                                             {},
		at + `public web/web1 0/0/1/69/70/80 200 2750 - - ---- `:                                                                       {},
		at + `public web/web1 0/0/1/69/70 2000 2750 - - ---- `:                                                                         {},
		at + `public web/web1 0/0/1/69/70 200 -`:                                                                                       {},
		at + `public web/web1 0/0/1/69/70`:                                                                                             {},
		at + `public web 0/0/1/69/70 200 2750 - - ---- `:                                                                               {},
		at + `public /web1 0/0/1/69/70 200 2750 - - ---- `:                                                                             {},
		at + `public/1: SSL handshake failure`:                                                                                         {},
		at + `public web/web1 0/0/5007 212 ---- 1/1/1/1/0 0/0`:                                                                         {},
		`127.0.0.1:36904 [29/Nov/2026:20:12:14] public web/web1 0/0/1/69/70 200 2750 - - ----`:                                         {},
		`127.0.0.1 [29/Nov/2026:20:12:14.655] public web/web1 0/0/1/69/70 200 2750 - - ----`:                                           {},
		`Connect from 127.0.0.1:36904 to 127.0.0.1:8080 (public/HTTP)`:                                                                 {},
		`127.0.0.1 - - [29/Nov/2026:20:12:14 +0000] "GET / HTTP/1.1" 200 2750 "" "" 36904 655 "public" "web" "web1" 0 0 1 69 70 ---- `: {},
		`Server web/web1 is UP, reason: Layer4 check passed, check duration: 0ms. 1 active and 0 backup servers online.`:               {},
		`{"took": 70}`:                         {},
		"":                                     {},
		" ":                                    {},
		strings.Repeat("/", 10_000) + " " + at: {},
	}
}

func TestParseRequest(t *testing.T) {
	for line, want := range requestLines() {
		r, ok := ParseRequest(line)
		if r != want || ok != (want.Backend != "") {
			t.Errorf("%.200q: %v, %t", line, r, ok)
		}
	}
}

// FuzzParseRequest checks that nothing but the first fields decides, and that the times
// and names are those of the line.
func FuzzParseRequest(f *testing.F) {
	for line := range requestLines() {
		f.Add(line, "x")
	}
	f.Fuzz(func(t *testing.T, line, more string) {
		r, ok := ParseRequest(line)
		if !ok {
			if r != (Request{}) {
				t.Fatalf("%q is no request, but gives %v", line, r)
			}
			return
		}
		if r.Took < 0 || r.Took > maxMilliseconds*time.Millisecond || strings.ContainsAny(r.Backend, " /") || !strings.Contains(line, " "+r.Backend+"/") {
			t.Errorf("%q gives %v", line, r)
		}
		// What a client sends is in the rest of the line.
		if again, _ := ParseRequest(line + " " + more); again != r {
			t.Errorf("%q gives %v with %q after it", line, again, more)
		}
	})
}

func BenchmarkParseRequest(b *testing.B) {
	const line = `127.0.0.1:36904 [29/Nov/2026:20:12:14.655] public web/web1 0/0/1/69/70 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index.html?with=a&query=of&some=length HTTP/1.1"`
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ParseRequest(line); !ok {
			b.Fatal("no request")
		}
	}
}
