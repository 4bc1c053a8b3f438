// Package release tests a release that was built but not published. `make
// release-check` builds it, passes its location in the environment, and sets the build
// tag "release", without which this package has no tests.
package release
