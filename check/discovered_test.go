package check

import "testing"

func TestPlacesOfDiscoveredGroups(t *testing.T) {
	file := &discoveredPlaces{proxy: "web", issued: make(map[string]bool)}
	environment := &discoveredPlaces{proxy: "web", issued: make(map[string]bool), variables: map[string]string{
		"zk.path": "ZK_PATH", "balance": "BALANCE", "acls": "ACL", "httpchk": "HTTPCHK", "server-template": "SERVER_TEMPLATE", "mode": "MODE",
	}}
	for line, want := range map[string][2]string{
		"  balance foo":                    {`web.groups."*".balance`, "BALANCE"},
		"  mode http":                      {`web.groups."*".mode`, "MODE"},
		"  acl a path /a":                  {`web.groups."*".acls`, "ACL"},
		"  use_backend a if a":             {`web.groups."*".acls`, "ACL"},
		"  option httpchk GET /":           {`web.groups."*".httpchk`, "HTTPCHK"},
		"  server-template a 1-2 0.0.0.0:": {`web.groups."*".server-template`, "SERVER_TEMPLATE"},
		"  option http-server-close":       {`web.groups."*".server_close`, "ZK_PATH"},
		"backend a":                        {`web.groups."*"`, "ZK_PATH"},
		"":                                 {`web.groups."*"`, "ZK_PATH"},
	} {
		if got := [2]string{file.line(line), environment.line(line)}; got != want || !file.issued[want[0]] || !environment.issued[want[1]] {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if got := file.redact("backend 'x' of " + anyName + "1"); got != "backend 'x' of ${group}1" {
		t.Errorf("the placeholder name is shown: %q", got)
	}
}
