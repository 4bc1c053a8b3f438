package syncer

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inBubbleWith is inBubble with a modified server and options.
func inBubbleWith(t *testing.T, change func(*fakeServer, *Options), test func(*testing.T, *fakeServer, *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.children["/root/g0"] = []string{"10.0.0.1:80"}
		c := newClient(t, f.connect, []string{"zk:2181"}, 2)
		o := c.options
		change(f, &o)
		c.Syncer = New(o)
		c.connect = f.connect
		c.start()
		after(time.Second)
		test(t, f, c)
		c.stop()
	})
}

func TestAuthIsSentBeforeEveryRead(t *testing.T) {
	inBubbleWith(t, func(f *fakeServer, o *Options) { f.auth, o.Auth = "app:secret", "app:secret" }, func(t *testing.T, f *fakeServer, c *client) {
		c.expect(2, "g0", "10.0.0.1:80")
		if status := c.ConnectionStatus(); !status.Connected || status.Server != "zk:2181" || status.Denied != "" {
			t.Errorf("%+v", status)
		}

		// The same session over another connection, on which nothing is read.
		f.drop(serve)
		after(2 * time.Second)
		f.set("/root/g0", "10.0.0.2:80")
		after(time.Second)
		c.expect(3, "g0", "10.0.0.2:80")

		// Another session.
		f.lock(func() { clear(f.sessions) })
		f.drop(serve)
		after(2 * time.Second)
		f.set("/root/g0", "10.0.0.3:80")
		after(time.Second)
		c.expect(4, "g0", "10.0.0.3:80")
		if f.asked[opAuth] != 3 {
			t.Errorf("credentials were sent %d times over three connections", f.asked[opAuth])
		}
	})
}

func TestWithoutPermissionNothingIsRead(t *testing.T) {
	for name, test := range map[string]struct{ auth, remedy string }{
		"no user":        {"", "set zk.auth to a user"},
		"a wrong secret": {"app:canary", "grant read to the user of zk.auth"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleWith(t, func(f *fakeServer, o *Options) { f.auth, o.Auth = "app:secret", test.auth }, func(t *testing.T, f *fakeServer, c *client) {
				after(time.Minute)
				c.expect(0, "g0")
				denied := c.ConnectionStatus().Denied
				for _, part := range []string{"no permission to read /root/g0 and 1 more (NoAuth): ", test.remedy} {
					if !strings.Contains(denied, part) || strings.Contains(denied, "canary") {
						t.Errorf("%q, want %q", denied, part)
					}
				}
				f.lock(func() { f.auth = "" })
				after(2 * retryDenied)
				c.expect(2, "g0", "10.0.0.1:80")
				if status := c.ConnectionStatus(); status.Denied != "" {
					t.Errorf("%+v", status)
				}
			})
		})
	}
}

func TestRefusedAuth(t *testing.T) {
	inBubbleWith(t, func(f *fakeServer, o *Options) { f.refuses, o.Auth = true, "app:canary" }, func(t *testing.T, f *fakeServer, c *client) {
		after(time.Minute)
		c.expect(0, "g0")
		if status := c.ConnectionStatus(); status.Connected || status.Problem != "no session with zk:2181: "+errAuthRefused.Error() {
			t.Errorf("%+v", status)
		}
		if n := len(f.dials); n > 150 {
			t.Errorf("%d dials in a minute", n)
		}
		f.lock(func() { f.refuses = false })
		after(2 * time.Second)
		c.expect(2, "g0", "10.0.0.1:80")
	})
}
