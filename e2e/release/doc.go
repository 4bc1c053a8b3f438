// Package release tests a release that was made without publishing it.
// `make release-check` makes it, says in the environment where it is, and sets
// the build tag "release", without which there is nothing here.
package release
