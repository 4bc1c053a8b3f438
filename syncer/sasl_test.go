package syncer

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// The example of RFC 2831, section 4, with another service.
func TestChallengeAndResponse(t *testing.T) {
	t.Parallel()
	c, err := parseChallenge([]byte(`realm="zk-sasl-md5",nonce="OA6MG9tEQGm2hh",qop="auth,auth-int",charset=utf-8,algorithm=md5-sess`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(challenge{"zk-sasl-md5", "OA6MG9tEQGm2hh"}, c, cmp.AllowUnexported(challenge{})); diff != "" {
		t.Error(diff)
	}
	a := c.answer(`a"b`, "secret", "OA6MHXh6VqTrRk")
	if !strings.Contains(a.text, `username="a\"b",realm="zk-sasl-md5",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="zookeeper/zk-sasl-md5"`) {
		t.Error(a.text)
	}
	for _, wrong := range []string{
		"", "nonce", `nonce="a`, `nonce="a\`, `realm="r",algorithm=md5-sess`, `nonce="a",nonce="b",algorithm=md5-sess`, `nonce="",algorithm=md5-sess`,
		`nonce="a",algorithm=md5`, `nonce="a",qop="auth-conf",algorithm=md5-sess`, "nonce=\"a\nb\",algorithm=md5-sess", `nonce="a",algorithm=md5-sess,x`,
		"nonce=a\nb,algorithm=md5-sess",
	} {
		if c, err := parseChallenge([]byte(wrong)); !errors.Is(err, errSASLForm) {
			t.Errorf("%q: %v %v", wrong, c, err)
		}
	}
	if got := westEuropean("ä€"); got != "ä€" {
		t.Errorf("%q", got)
	}
	if got := westEuropean("ä"); got != "\xe4" {
		t.Errorf("%q", got)
	}
}

// A challenge yields one line of printable text for the log or a realm and a nonce that
// the response quotes.
func FuzzChallenge(f *testing.F) {
	f.Add([]byte(`realm="zk-sasl-md5",nonce="OA6MG9tEQGm2hh",qop="auth",charset=utf-8,algorithm=md5-sess`))
	f.Add([]byte(`realm="a\"b", nonce="\\",algorithm=md5-sess,,`))
	f.Fuzz(func(t *testing.T, token []byte) {
		c, err := parseChallenge(token)
		if err != nil {
			return
		}
		text := c.answer("u", "p", "c").text
		if strings.ContainsFunc(text, unicode.IsControl) && !strings.ContainsFunc(string(token), unicode.IsControl) {
			t.Errorf("%q has control characters", text)
		}
		again, err := parseChallenge([]byte(text + ",algorithm=md5-sess"))
		if err != nil || again != c {
			t.Errorf("%q is read as %v, %v, want %v", text, again, err, c)
		}
	})
}

// saslServer answers each request with the next of frames, without their lengths.
func saslServer(t *testing.T, far net.Conn, frames ...[]byte) {
	t.Helper()
	go func() {
		for _, frame := range frames {
			if _, err := readFrame(far); err != nil {
				return
			}
			_, _ = far.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
		}
		_, _ = io.Copy(io.Discard, far)
	}()
}

func saslAnswer(number uint32, code int32, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, number)
	b = binary.BigEndian.AppendUint64(b, 0)
	return append(binary.BigEndian.AppendUint32(b, uint32(code)), rest...)
}

func TestWrongAnswersToSASL(t *testing.T) {
	challenge := appendText(nil, `realm="r",nonce="n",qop="auth",algorithm=md5-sess`)
	for name, tt := range map[string]struct {
		frames [][]byte
		want   error
	}{
		"a server without SASL":             {[][]byte{saslAnswer(1, 0, 0xff, 0xff, 0xff, 0xff)}, errSASLMissing},
		"the same, of another version":      {[][]byte{saslAnswer(1, 0)}, errSASLMissing},
		"a wrong password":                  {[][]byte{saslAnswer(1, 0, challenge...), saslAnswer(2, -115)}, errSASLRefused},
		"an impostor":                       {[][]byte{saslAnswer(1, 0, challenge...), saslAnswer(2, 0, appendText(nil, "rspauth=00000000000000000000000000000000")...)}, errSASLServer},
		"another mechanism":                 {[][]byte{saslAnswer(1, 0, appendText(nil, "hello")...)}, errSASLForm},
		"the number of another request":     {[][]byte{saslAnswer(3, 0, challenge...)}, errNotZooKeeper},
		"a token that is longer than it is": {[][]byte{saslAnswer(1, 0, 0, 0, 1, 0, 'x')}, errNotZooKeeper},
		"bytes behind the token":            {[][]byte{saslAnswer(1, 0, append(append([]byte{}, challenge...), 'x')...)}, errNotZooKeeper},
		"a short answer":                    {[][]byte{{1, 2, 3}}, errNotZooKeeper},
		"a long answer":                     {[][]byte{make([]byte, maxToken+100)}, errNotZooKeeper},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				saslServer(t, far, tt.frames...)
				if err := sendSASL(near, "app:secret"); !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				_, _ = near.Close(), far.Close()
			})
		})
	}
}
