// Package host tests the packages on a Debian host: a container whose process 1 is
// systemd, beside a real ZooKeeper and applications on a separate Docker network. `make
// release-check` builds the packages, names them in PACKAGE and OLDER_PACKAGE, without
// .deb and .rpm, and sets the build tag "release", without which this package has no
// tests.
package host
