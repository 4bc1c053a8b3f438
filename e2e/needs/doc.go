// Package needs lists requirements of tests that not every machine meets, such as the
// permission to mount. A test that names its need is skipped if the machine does not
// meet it, and counted at the end of `make test`; if CI is "true" it fails instead. No
// other package skips tests.
package needs
