//go:build release

package release

import (
	"fmt"
	"path/filepath"
)

// platform is a platform of the release, with its names in the different formats.
type platform struct {
	arch, deb, rpm string
}

func platforms() []platform {
	return []platform{
		{"amd64", "amd64", "x86_64"},
		{"arm64", "arm64", "aarch64"},
		{"ppc64le", "ppc64el", "ppc64le"},
	}
}

// file returns the archive or package with an extension.
func (p platform) file(extension string) string {
	return filepath.Join(made.dist, fmt.Sprintf("haproxy-zk_%s_linux_%s.%s", version, p.arch, extension))
}
