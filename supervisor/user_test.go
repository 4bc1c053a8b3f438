package supervisor

import (
	"fmt"
	"net"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// actVariable makes the test binary perform one action for asUser.
const actVariable = "ACT_AS_USER"

// asUser performs an action on a file as another user and returns its output.
func asUser(t *testing.T, uid int, deed, path string) string {
	t.Helper()
	ids := []string{fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", uid), "--clear-groups"}
	args := append(ids, "env", actVariable+"="+deed, "FILE="+path, copied(t, "/proc/self/exe", "test"))
	text, err := runReaper(t).Output(t.Context(), "/usr/bin/setpriv", args...)
	if err != nil {
		t.Fatalf("act as user %d, which takes root: %v", uid, err)
	}
	return text
}

// act performs an action and prints the error.
func act(deed, path string) {
	var err error
	switch deed {
	case "send":
		var conn net.Conn
		if conn, err = net.Dial("unixgram", path); err == nil {
			_, err = conn.Write([]byte("<134>Nov 23 10:00:00 haproxy[12]: GET /forged HTTP/1.1"))
		}
	case "write":
		err = ownfile.Replace(path, []byte("ours"), confMode)
	}
	if err != nil {
		fmt.Print(err)
	}
}
