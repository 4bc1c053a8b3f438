package rig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseServers(t *testing.T) {
	t.Parallel()
	const header = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change " +
		"srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord"
	got, err := ParseServers("1\n" + header + "\n" +
		"4 web 1 web1 127.0.0.1 2 4 1 1 9 15 3 4 6 0 0 0 - 9001 -\n" +
		"4 web 2 web2 ::1 2 0 7 1 9 15 3 4 6 0 0 0 - 9002 - extra\n" +
		"4 web 3 web3 127.0.0.1 2 12 1 1 9 15 3 4 6 0 0 0 - 9003 -\n" +
		"4 web 4 web4 0.0.0.0 0 5 1 1 9 1 0 0 14 0 0 0 - 0 -\n" +
		"5 api 1 api1 127.0.0.1 2 4 1 1 9 15 3 4 6 0 0 0 - 9004 -\n\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Server{
		{Backend: "web", Name: "web1", Addr: "127.0.0.1", Port: 9001, OpState: 2, AdminState: 4, Weight: 1},
		{Backend: "web", Name: "web2", Addr: "::1", Port: 9002, OpState: 2, AdminState: 0, Weight: 7},
		{Backend: "web", Name: "web3", Addr: "127.0.0.1", Port: 9003, OpState: 2, AdminState: 12, Weight: 1},
		{Backend: "web", Name: "web4", Addr: "0.0.0.0", Port: 0, OpState: 0, AdminState: 5, Weight: 1},
		{Backend: "api", Name: "api1", Addr: "127.0.0.1", Port: 9004, OpState: 2, AdminState: 4, Weight: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"127.0.0.1:9001", "[::1]:9002"}, Serving(got, "web")); diff != "" {
		t.Errorf("serving (-want +got):\n%s", diff)
	}

	for name, text := range map[string]string{
		"empty":    "",
		"an error": "Permission denied\n\n",
		"too few":  "1\n" + header + "\n4 web 1 web1 127.0.0.1 2 4\n",
		"letters":  "1\n" + header + "\n4 web 1 web1 127.0.0.1 x 4 1 1 9 15 3 4 6 0 0 0 - 9001 -\n",
	} {
		if servers, err := ParseServers(text); err == nil {
			t.Errorf("%s: no error but %v", name, servers)
		}
	}
}
