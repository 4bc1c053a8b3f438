//go:build image

package image

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// The image's own settings, where those of the base image differ.
func TestSettings(t *testing.T) {
	type health struct {
		Test []string
	}
	type settings struct {
		User, StopSignal string
		Entrypoint, Cmd  []string
		ExposedPorts     map[string]struct{}
		Healthcheck      health
	}
	for _, image := range shared.images {
		t.Run(image.Tag, func(t *testing.T) {
			text, err := rig.Docker(t.Context(), "image", "inspect", "--format", "{{json .Config}}", image.Tag)
			if err != nil {
				t.Fatal(err)
			}
			var got settings
			var labels struct{ Labels map[string]string }
			for _, into := range []any{&got, &labels} {
				if err := json.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
			}
			want := settings{
				User: "65532:65532", StopSignal: "SIGTERM",
				Entrypoint:   []string{"/usr/local/bin/haproxy-zk"},
				ExposedPorts: map[string]struct{}{"8080/tcp": {}, "20001/tcp": {}, "21000/tcp": {}},
				Healthcheck:  health{Test: []string{"CMD", "/usr/local/bin/haproxy-zk", "healthcheck"}},
			}
			if len(got.Cmd) == 0 {
				got.Cmd = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for _, name := range []string{"title", "description", "source", "licenses", "version", "base.name"} {
				if labels.Labels["org.opencontainers.image."+name] == "" {
					t.Errorf("no label %s", name)
				}
			}
			output, err := rig.DockerOutput(t.Context(), "run", "--rm", "--platform", "linux/"+image.Arch, "--entrypoint", "/bin/sh", image.Tag, "-c", "true")
			if err == nil || !strings.Contains(output, "no such file") {
				t.Errorf("the base of the tests has a shell, so that they do not show that none is wanted: %v %s", err, output)
			}
		})
	}
}
