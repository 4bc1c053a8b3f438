//go:build image

package image

import (
	"net/http"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// `docker build .` as in the README, with each of Docker's builders: the image has a
// version, and serves. The build warns about an HAProxy past its end of life.
func TestDockerBuildMakesAnImageThatServes(t *testing.T) {
	image := shared.images[0]
	supported := image.base(t)
	old := rig.UniqueName("base") + ":2.0"
	if _, err := rig.Docker(t.Context(), "tag", supported, old); err != nil {
		t.Fatal(err)
	}
	removeTag(t, old)
	for _, b := range builders(t) {
		t.Run(b.name, func(t *testing.T) {
			const warning = "is past its end of life"
			plain, output := b.build(t, "--build-arg", "HAPROXY_IMAGE="+old)
			if !strings.Contains(output, "WARNING: "+old+" "+warning) {
				t.Errorf("the build does not warn of %s:\n%s", old, output)
			}
			isVersion(t, plain, defaultOf(t, "VERSION"))

			const version = "1.2.3-4-gabcdef0"
			// The stage bin, which would be left without a tag.
			b.build(t, "--target", "bin", "--build-arg", "HAPROXY_IMAGE="+supported, "--build-arg", "VERSION="+version)
			named, output := b.build(t, "--build-arg", "HAPROXY_IMAGE="+supported, "--build-arg", "VERSION="+version)
			if strings.Contains(output, warning) {
				t.Errorf("the build warns of %s:\n%s", supported, output)
			}
			isVersion(t, named, version)

			s := newStage(t, Image{Tag: named, Arch: image.Arch, HAProxy: image.HAProxy})
			a := s.app("web")
			balancer := s.balancer("--user", "12345:54321", "--cap-drop", "ALL")
			balancer.serves("web", a)
			if code, body := rig.Get("http://" + balancer.listener() + "/web/"); code != http.StatusOK || body != "web "+a.addr+"\n" {
				t.Errorf("/web/: %d %s", code, body)
			}
		})
	}
}

// isVersion asserts that an image and its binary have a version.
func isVersion(t *testing.T, tag, version string) {
	t.Helper()
	if got, err := rig.Docker(t.Context(), "run", "--rm", tag, "version"); err != nil || !strings.HasPrefix(got, "haproxy-zk "+version+"\n") {
		t.Errorf("haproxy-zk version prints %q, %v; want %s", got, err, version)
	}
	label, err := rig.Docker(t.Context(), "image", "inspect", "--format", `{{index .Config.Labels "org.opencontainers.image.version"}}`, tag)
	if err != nil || label != version {
		t.Errorf("the label has version %q, %v; want %s", label, err, version)
	}
}
