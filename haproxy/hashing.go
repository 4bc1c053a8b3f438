package haproxy

import "slices"

// Hashes reports whether a group's backend chooses the server by a hash, so that the same
// key reaches the same instance.
func (t *Template) Hashes(b Backend) bool {
	_, hashes := hashing(b, groupLines(t, b))
	return hashes
}

// hashing returns the line `balance` of a backend that chooses servers by a hash.
func hashing(b Backend, lines []groupLine) (groupLine, bool) {
	l, found := effective(lines, "balance")
	if !found || len(l.words) < 2 || b.Mode == "tcp" && l.line > 0 && httpOnly(l.words) {
		return groupLine{}, false
	}
	return l, hasAnyPrefix(l.words[1], "source", "uri", "url_param", "hdr", "rdp-cookie", "hash")
}

// hashKey returns the parameter by which servers are hashed over their addresses: load
// balancers then agree, whatever the order in which instances registered. It is empty
// where HAProxy has none, or the servers have their own.
func (t *Template) hashKey(b Backend, v Version) string {
	if !v.hashesAddresses() {
		return ""
	}
	lines := groupLines(t, b)
	_, hashes := hashing(b, lines)
	own := slices.ContainsFunc(lines, func(l groupLine) bool {
		return l.configuresServers() && l.contains("hash-key")
	})
	if !hashes || own {
		return ""
	}
	return "hash-key addr-port"
}
