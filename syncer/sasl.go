package syncer

import (
	"crypto/md5" // which the mechanism is defined with
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

var (
	errSASLRefused = errors.New("the server rejects zk.sasl: wrong user or password")
	errSASLMissing = errors.New("the server has no SASL for clients: give it a JAAS section Server, or remove zk.sasl")
	errSASLForm    = errors.New("the server's SASL challenge is not one of DIGEST-MD5")
	errSASLServer  = errors.New("the server does not know the password of zk.sasl: it may be an impostor")
)

// The request, big-endian: length of the rest (4), number (4), operation (4), token. The
// answer: length (4), number (4), last zxid (8), error (4), token. A token is a length
// (4), -1 for none, and that many bytes. See GetSASLRequest and SetSASLResponse in
// ZooKeeper's zookeeper.jute.
const (
	opSASL = 102
	// maxToken is more than RFC 2831 allows.
	maxToken = 4096
	// codeNone is the error of an answer without one.
	codeNone = 0
)

// What ZooKeeper's server calls itself in DIGEST-MD5, whatever its host. See
// SaslServerCallbackHandler and SecurityUtils of ZooKeeper.
const saslURI = "zookeeper/zk-sasl-md5"

// sendSASL authenticates by SASL with DIGEST-MD5 (RFC 2831) over a connection whose
// handshake has just been answered. Unlike digest's, a wrong password is an error.
//
// The library has no SASL, and could have none: it sends the requests that wait as soon as
// the handshake is answered, but a server that requires SASL answers none before it.
func sendSASL(c net.Conn, credentials string) error {
	user, password, _ := strings.Cut(credentials, ":")
	token, err := exchangeSASL(c, 1, nil)
	if err != nil {
		return err
	}
	if len(token) == 0 {
		return errSASLMissing
	}
	challenge, err := parseChallenge(token)
	if err != nil {
		return err
	}
	answer := challenge.answer(user, password, rand.Text())
	if token, err = exchangeSASL(c, 2, []byte(answer.text)); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(token, []byte("rspauth="+answer.proof)) != 1 {
		return errSASLServer
	}
	return nil
}

// exchangeSASL sends a token and returns the token of the answer.
func exchangeSASL(c net.Conn, number uint32, token []byte) ([]byte, error) {
	request := binary.BigEndian.AppendUint32(nil, uint32(4+4+4+len(token)))
	request = binary.BigEndian.AppendUint32(request, number)
	request = binary.BigEndian.AppendUint32(request, opSASL)
	request = binary.BigEndian.AppendUint32(request, uint32(len(token)))
	if _, err := c.Write(append(request, token...)); err != nil {
		return nil, fmt.Errorf("send zk.sasl: %w", err)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, fmt.Errorf("wait for the answer to zk.sasl: %w", err)
	}
	length := binary.BigEndian.Uint32(head)
	if length < authAnswer || length > authAnswer+4+maxToken {
		return nil, errNotZooKeeper
	}
	answer := body(make([]byte, length))
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, fmt.Errorf("wait for the answer to zk.sasl: %w", err)
	}
	if got, _ := answer.number(); got != number {
		return nil, errNotZooKeeper
	}
	answer = answer[8:] // the zxid
	if code, _ := answer.number(); code != codeNone {
		return nil, errSASLRefused
	}
	if len(answer) == 0 || binary.BigEndian.Uint32(append(slices.Clone(answer), 0, 0, 0, 0)) == 1<<32-1 {
		return nil, nil
	}
	text, ok := answer.text()
	if !ok || len(answer) > 0 {
		return nil, errNotZooKeeper
	}
	return text, nil
}

// challenge is what is used of a digest-challenge.
type challenge struct{ realm, nonce string }

// parseChallenge parses a digest-challenge of RFC 2831: directives separated by commas,
// each a word, "=", and a word or a quoted text.
func parseChallenge(token []byte) (c challenge, err error) {
	rest, qop, nonces, algorithm := string(token), "auth", 0, ""
	for rest != "" {
		var name, value string
		if name, value, rest, err = cutDirective(rest); err != nil {
			return challenge{}, err
		}
		switch strings.ToLower(name) {
		case "realm":
			if c.realm == "" {
				c.realm = value
			}
		case "nonce":
			c.nonce = value
			nonces++
		case "qop":
			qop = value
		case "algorithm":
			algorithm = value
		}
	}
	offers := func(word string) bool { return strings.EqualFold(strings.TrimSpace(word), "auth") }
	if nonces != 1 || c.nonce == "" || algorithm != "md5-sess" || !slices.ContainsFunc(strings.Split(qop, ","), offers) {
		return challenge{}, errSASLForm
	}
	return c, nil
}

// cutDirective cuts the first directive off a challenge.
func cutDirective(text string) (name, value, rest string, err error) {
	name, rest, found := strings.Cut(strings.TrimLeft(text, ", \t"), "=")
	if !found {
		if strings.Trim(text, ", \t") == "" {
			return "", "", "", nil
		}
		return "", "", "", errSASLForm
	}
	quoted, isQuoted := strings.CutPrefix(rest, `"`)
	if !isQuoted {
		value, rest, _ = strings.Cut(rest, ",")
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", "", "", errSASLForm
		}
		return strings.TrimSpace(name), strings.TrimSpace(value), rest, nil
	}
	var plain strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch b := quoted[i]; {
		case b == '"':
			return strings.TrimSpace(name), plain.String(), quoted[i+1:], nil
		case b < ' ' || b == 0x7f:
			return "", "", "", errSASLForm
		case b == '\\' && i+1 < len(quoted):
			i++
			fallthrough
		default:
			plain.WriteByte(quoted[i])
		}
	}
	return "", "", "", errSASLForm
}

// response is a digest-response, with the proof that the server has to give.
type response struct{ text, proof string }

// answer returns the response to a challenge.
func (c challenge) answer(user, password, cnonce string) response {
	const count = "00000001"
	secret := md5.Sum([]byte(westEuropean(user) + ":" + westEuropean(c.realm) + ":" + westEuropean(password)))
	first := md5Hex(string(secret[:]) + ":" + c.nonce + ":" + cnonce)
	digest := func(second string) string {
		return md5Hex(strings.Join([]string{first, c.nonce, count, cnonce, "auth", md5Hex(second)}, ":"))
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	return response{
		text: fmt.Sprintf(`charset=utf-8,username="%s",realm="%s",nonce="%s",nc=%s,cnonce="%s",digest-uri="%s",response=%s,qop=auth`,
			quote(user), quote(c.realm), quote(c.nonce), count, cnonce, saslURI, digest("AUTHENTICATE:"+saslURI)),
		proof: digest(":" + saslURI),
	}
}

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// westEuropean converts a text to ISO 8859-1 if that has all of its characters, as RFC
// 2831 requires of what is hashed.
func westEuropean(text string) string {
	var converted strings.Builder
	for _, r := range text {
		if r > 0xff {
			return text
		}
		converted.WriteByte(byte(r))
	}
	return converted.String()
}
