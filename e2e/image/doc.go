// Package image tests the built images in containers, with a real ZooKeeper on a
// separate Docker network, under load that counts lost requests. It also builds images
// from stand-ins of their bases, following the README. `make image-test` builds the
// images, names them in HAPROXY_ZK_IMAGES and sets the build tag "image", without which
// only tests run that need no engine.
package image
