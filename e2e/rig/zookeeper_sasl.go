package rig

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// saslLines returns lines of zoo.cfg for a server that requires SASL. The first one is the
// name of versions before 3.6, in which it has the same effect as the next.
func saslLines() []string {
	return []string{
		"requireClientAuthScheme=sasl", "sessionRequireClientSASLAuth=true",
		"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
	}
}

// jaas returns the server's section of a JAAS configuration.
func jaas(users map[string]string) string {
	var text strings.Builder
	text.WriteString("Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required")
	for _, user := range slices.Sorted(maps.Keys(users)) {
		fmt.Fprintf(&text, "\n  user_%s=%q", user, users[user])
	}
	text.WriteString(";\n};\n")
	return text.String()
}
