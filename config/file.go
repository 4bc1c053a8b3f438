package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// HAProxy binds PATH.PID.tmp, which must fit into the 107 bytes of a
// sockaddr_un, and then renames it. It refuses paths that leave no room for a
// process id of five digits; Linux gives out seven.
const (
	// HAProxy binds PATH.PID.tmp, which must fit into the 107 bytes of a sockaddr_un, and then
	// renames it. It rejects paths without room for a process id of five digits; Linux has
	// seven.
	maxSocketPath = 107 - len(".32768.tmp")
	safeSocket    = 107 - len(".4194304.tmp")
)

// oneWord matches text that is one word, or one address, in HAProxy's configuration
// without quotes.
var oneWord = regexp.MustCompile(`^[^\s"'\\#,]+$`)

// plainFile is a path independent of the working directory.
func plainFile() form[string] {
	return form[string]{give: "an absolute path, as in ${HOME}/etc/NAME", parse: absolute}
}

// wordFile is a file whose path is part of HAProxy's configuration.
func wordFile() form[string] {
	return form[string]{
		give: "an absolute path without spaces, commas, quotes, \\ and #",
		parse: func(path string) (string, error) {
			if !oneWord.MatchString(path) {
				return "", fmt.Errorf("%q is not one word for HAProxy", path)
			}
			return absolute(path)
		},
	}
}

func socketFile() form[string] {
	f := wordFile()
	word := f.parse
	f.give += fmt.Sprintf(", of at most %d bytes", maxSocketPath)
	f.parse = func(path string) (string, error) {
		if len(path) > maxSocketPath {
			return "", fmt.Errorf("%q has %d bytes", path, len(path))
		}
		return word(path)
	}
	return f
}

func executable() form[string] {
	return form[string]{
		give: "an absolute path, or a name without a slash to be found on PATH",
		parse: func(path string) (string, error) {
			if !strings.Contains(path, "/") {
				return path, nil
			}
			return absolute(path)
		},
	}
}

func absolute(path string) (string, error) {
	switch {
	case !filepath.IsAbs(path):
		return "", fmt.Errorf("%q is a relative path", path)
	case strings.HasSuffix(path, "/"):
		return "", fmt.Errorf("%q is the path of a directory", path)
	}
	return path, nil
}
