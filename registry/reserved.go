package registry

import "slices"

// ReservedNames returns the paths of the query API, which no proxy can have as its name.
func ReservedNames() []string {
	return []string{"metrics", "healthz", "readyz", "ui", "static", "events", "openapi.json", "favicon.ico"}
}

// Reserved reports whether a name is one of [ReservedNames].
func Reserved(name string) bool { return slices.Contains(ReservedNames(), name) }
