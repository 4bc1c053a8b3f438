package haproxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"    stats auth admin:canary":                                    "    stats auth [secret]",
		"stats admin if { http_auth(ops) } canary":                       "stats admin [secret]",
		"    user bob insecure-password canary":                          "    user [secret]",
		"\tuser bob password $5$canary groups ops":                       "\tuser [secret]",
		"    http-request set-header Authorization \"Bearer canary\"":    "    http-request set-header [secret]",
		"    http-request set-header X-Api-Key canary":                   "    http-request set-header [secret]",
		"    http-check send hdr Authorization canary":                   "    http-check send [secret]",
		"    option httpchk GET / HTTP/1.1\\r\\nAuthorization:\\ canary": "    option httpchk [secret]",
		"    acl known req.hdr(X-Token) -m str canary":                   "    acl known [secret]",
		"    dynamic-cookie-key canary":                                  "    dynamic-cookie-key [secret]",
		"    setenv PASS canary":                                         "    setenv [secret]",
		"    presetenv ANY canary":                                       "    presetenv [secret]",
		"# old: stats auth admin:canary":                                 "# [secret]",
		"    server s1 10.0.0.1:80 check agent-send canary\\n weight 1":  "    server s1 10.0.0.1:80 check agent-send [secret]",
		"\tserver s1 10.0.0.1:80 check\tagent-send\tcanary":              "\tserver s1 10.0.0.1:80 check\tagent-send\t[secret]",
		"    server s1 10.0.0.1:80 check # password canary":              "    server s1 10.0.0.1:80 check # [secret]",
		"password":         "[secret]",
		"    user haproxy": "    user haproxy",
		"    http-request deny unless { path /x }":               "    http-request deny unless { path /x }",
		"backend user-auth":                                      "backend user-auth",
		"    server user-auth1 10.0.0.1:80 check":                "    server user-auth1 10.0.0.1:80 check",
		"    acl user-auth path_beg -i /user-auth/":              "    acl user-auth path_beg -i /user-auth/",
		"    acl user-auth hdr(host) -i user.example.com":        "    acl user-auth hdr(host) -i user.example.com",
		"    use_backend user-auth if user-auth":                 "    use_backend user-auth if user-auth",
		"    stats socket /run/user/1.sock mode 600 level admin": "    stats socket /run/user/1.sock mode 600 level admin",
		"    bind :443 ssl crt /etc/keys/site.pem":               "    bind :443 ssl crt /etc/keys/site.pem",
	} {
		for _, end := range []string{"", "\n", "\r\n"} {
			if diff := cmp.Diff(want+end, string(Mask([]byte(line+end)))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
	}
}

// FuzzMask checks that a password behind its keyword never remains, and that no line gets
// lost.
func FuzzMask(f *testing.F) {
	f.Add("    stats auth admin:", "")
	f.Add("\tUser x PASSWORD", "\r\nbackend web\n")
	f.Add("    server s 10.0.0.1:1 agent-send ", "\n#")
	f.Fuzz(func(t *testing.T, before, after string) {
		const canary = "caNary7f3a"
		for _, keyword := range []string{"stats auth a:", "password ", "http-request set-header Authorization ", "# token "} {
			text := before + "\n" + keyword + canary + "\n" + after
			masked := string(Mask([]byte(text)))
			if strings.Contains(masked, canary) {
				t.Errorf("%q becomes %q", text, masked)
			}
			if got, want := strings.Count(masked, "\n"), strings.Count(text, "\n"); got != want {
				t.Errorf("%q has %d lines, %q has %d", text, want, masked, got)
			}
		}
	})
}
