package haproxy

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// Masked replaces what [Mask] hides.
const Masked = "[secret]"

var (
	// secretWord matches lines that may contain a secret.
	secretWord = regexp.MustCompile(`(?i)auth|passw|user|secret|key|token|bearer|cred|setenv|hmac|aes_|jwt|agent-send`)
	// plainTest matches the criterion of an acl that compares what is no secret.
	plainTest = regexp.MustCompile(`(?i)^(path|base|src|dst|method|nbsrv|be_|fe_|srv_|(req\.)?hdr(_\w+)?\(host\))`)
	agentText = regexp.MustCompile(`\sagent-send\s+`)
)

// MayBeSecret reports whether a line of a configuration may contain a secret, so that it
// must not be repeated.
func MayBeSecret(line string) bool { return secretWord.MatchString(line) }

// Mask returns a configuration whose lines that may contain a secret end with [Masked]
// after their keywords. Names of groups and servers, and addresses, are never masked. A
// secret in a line whose words do not suggest one remains.
func Mask(configuration []byte) []byte {
	out := make([]byte, 0, len(configuration))
	for line := range bytes.Lines(configuration) {
		if !secretWord.Match(line) {
			out = append(out, line...)
			continue
		}
		text := strings.TrimRight(string(line), "\r\n")
		out = append(out, maskLine(text)...)
		out = append(out, line[len(text):]...)
	}
	return out
}

// maskLine masks one line without its end.
func maskLine(line string) string {
	words := strings.Fields(line)
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	kept := 1
	switch word := words[0]; {
	case strings.HasPrefix(word, "#"):
		return indent + "# " + Masked
	case isPlain(words):
		return maskRest(line)
	case slices.Contains([]string{"acl", "stats", "option", "http-request", "http-response", "http-after-response", "http-check", "tcp-request", "tcp-response", "tcp-check"}, word):
		kept = 2
	}
	return indent + strings.Join(append(words[:min(kept, len(words)-1)], Masked), " ")
}

// isPlain reports whether the words of a line name and set what is no secret, whatever the
// names are.
func isPlain(words []string) bool {
	switch words[0] {
	case "backend", "frontend", "listen", "defaults", "global", "userlist", "resolvers", "peers", "cache", "ring", "program", "http-errors",
		"server", "server-template", "default-server", "bind", "use_backend", "default_backend", "balance", "mode", "timeout", "group", "uid", "gid", "chroot", "daemon":
		return true
	case "user": // of the process, or of a userlist with a password
		return len(words) == 2
	case "acl":
		return len(words) > 2 && plainTest.MatchString(words[2])
	case "stats":
		return len(words) > 1 && words[1] == "socket"
	}
	return false
}

// maskRest masks what a line of names may have besides: the text that agents are sent, and
// a comment.
func maskRest(line string) string {
	if at := agentText.FindStringIndex(line); at != nil {
		return line[:at[1]] + Masked
	}
	if before, comment, found := strings.Cut(line, "#"); found && secretWord.MatchString(comment) {
		return before + "# " + Masked
	}
	return line
}
