package ui

import (
	"crypto/sha256"
	_ "embed" // of the files
	"encoding/hex"
)

var (
	//go:embed assets/style.css
	style []byte
	//go:embed assets/script.js
	script []byte
	//go:embed assets/icon.svg
	icon []byte
)

// Asset is a file beside the page.
type Asset struct {
	Name, Type string
	Text       []byte
}

// Files returns the files that the page refers to, which are at [Path] followed by a slash
// and the name.
func Files() []Asset {
	return []Asset{
		{"style.css", "text/css; charset=utf-8", style},
		{"script.js", "text/javascript; charset=utf-8", script},
		{"icon.svg", "image/svg+xml", icon},
	}
}

// Policy is the Content-Security-Policy of the page: nothing but its own files, no inline
// script or style, no frame, no form to elsewhere; the script makes elements of text in one
// place only.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types rows"

// build identifies the files: an open page whose script is of another build is loaded
// again.
func build() string {
	sum := sha256.New()
	for _, f := range Files() {
		_, _ = sum.Write(f.Text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
