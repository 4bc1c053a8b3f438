// Package image tests the built images, in containers: beside a real ZooKeeper
// on a Docker network of their own, under load that counts lost requests.
// `make image-test` builds the images, names them in HAPROXY_ZK_IMAGES and sets
// the build tag "image", without which there is nothing here.
package image
