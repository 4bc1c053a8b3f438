//go:build release

package release

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The pushed index has an image for each platform, and each is ours.
func TestIndex(t *testing.T) {
	var index struct {
		Manifests []struct {
			Platform struct{ OS, Architecture string }
		}
	}
	if err := json.Unmarshal(output(t, "docker", "buildx", "imagetools", "inspect", "--raw", made.image), &index); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range index.Manifests {
		if m.Platform.OS != "unknown" { // an attestation
			got = append(got, m.Platform.OS+"/"+m.Platform.Architecture)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64", "linux/ppc64le"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, p := range platforms() {
		var image struct {
			Architecture string
			Config       struct {
				User, StopSignal string
				Entrypoint       []string
				Healthcheck      struct{ Test []string }
				Labels           map[string]string
			}
		}
		if err := json.Unmarshal(output(t, "crane", "config", "--platform", "linux/"+p.arch, made.image), &image); err != nil {
			t.Fatal(err)
		}
		c := image.Config
		if image.Architecture != p.arch || c.User != "65532:65532" || c.StopSignal != "SIGTERM" ||
			strings.Join(c.Entrypoint, " ") != "/usr/local/bin/haproxy-zk" || len(c.Healthcheck.Test) != 3 {
			t.Errorf("%s: %+v", p.arch, image)
		}
		if v := c.Labels["org.opencontainers.image.version"]; v != version {
			t.Errorf("%s: the label says version %q", p.arch, v)
		}
	}
}
