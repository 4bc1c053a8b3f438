package register

import (
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.5:8080": "10.0.0.5:8080", "[2001:db8::1]:80": "[2001:db8::1]:80", "[::ffff:10.0.0.5]:80": "10.0.0.5:80",
		":8080": "127.0.0.1:8080", "": "127.0.0.1:9000",
	} {
		a, err := ParseAddress(text)
		if err == nil {
			a, err = a.Complete(mustCheck(t, "http://127.0.0.1:9000/"))
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		// The route to a loopback address begins there.
		got, err := a.locate(t.Context(), []string{"nowhere.invalid:2181", "127.0.0.1:2181"})
		if err != nil || got.String() != want {
			t.Errorf("%q: %v %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"10.0.0.5", "web:80", "10.0.0.5:0", "10.0.0.5:70000", "0.0.0.0:80", "[::]:80", "224.0.0.1:80", "[fe80::1%eth0]:80", "1.2.3:80"} {
		if a, err := ParseAddress(text); err == nil {
			t.Errorf("%q is the address %v", text, a)
		}
	}
	if a, err := (Address{}).Complete(mustCheck(t, "none")); err == nil {
		t.Errorf("without a port it is %v", a)
	}
}

func TestOwnAddressNeedsAServerThatResolves(t *testing.T) {
	t.Parallel()
	if a, err := (Address{port: 80}).locate(t.Context(), []string{"nowhere.invalid:2181"}); err == nil {
		t.Errorf("it is %v", a)
	}
}
