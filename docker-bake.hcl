# The images. `docker buildx bake image --push` makes the list for three platforms, `docker buildx bake image-local` an
# image of each architecture in the local engine, which cannot hold a list. The binaries are those of build/image/binaries.
variable "HAPROXY_IMAGE" {
  description = "the base: any image with haproxy on its PATH"
  default     = "haproxy:2.0"
}

variable "HAPROXY_CONTEXT" {
  description = "where the base comes from when it is no image of a registry, as in oci-layout://bin/image/oci:2.0"
  default     = ""
}

variable "REGISTRY" {
  description = "registry and name space of the list, as in registry.example.com/team"
  default     = "localhost:5000"
}

variable "VERSION" {
  description = "the version, which is the tag"
  default     = "0.1.0-unreleased"
}

group "default" {
  targets = ["image"]
}

target "common" {
  context    = "."
  dockerfile = "Dockerfile"
  args = {
    HAPROXY_IMAGE = HAPROXY_IMAGE
    VERSION       = VERSION
  }
  contexts = HAPROXY_CONTEXT == "" ? { bin = "bin/image/bin" } : { bin = "bin/image/bin", haproxy = HAPROXY_CONTEXT }
}

target "image" {
  inherits  = ["common"]
  platforms = ["linux/amd64", "linux/arm64", "linux/ppc64le"]
  tags      = ["${REGISTRY}/haproxy-zk:${VERSION}"]
}

target "image-local" {
  name      = "image-${arch}"
  matrix    = { arch = ["amd64", "arm64", "ppc64le"] }
  inherits  = ["common"]
  platforms = ["linux/${arch}"]
  tags      = ["haproxy-zk:${VERSION}-${arch}"]
  output    = ["type=docker"]
}
