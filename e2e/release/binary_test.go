//go:build release

package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// All packages of a platform have the same binary.
func TestSameBinaryEverywhere(t *testing.T) {
	for _, p := range platforms() {
		t.Run(p.arch, func(t *testing.T) {
			archive, err := os.ReadFile(p.file("tar.gz"))
			if err != nil {
				t.Fatal(err)
			}
			unzipped, err := gzip.NewReader(bytes.NewReader(archive))
			if err != nil {
				t.Fatal(err)
			}
			want := member(t, unzipped, "haproxy-zk")
			// The names in an rpm are absolute, so it is not unpacked.
			inRPM := output(t, "sh", "-c", `rpm2cpio "$1" | cpio --quiet --extract --to-stdout /usr/bin/haproxy-zk`, "sh", p.file("rpm"))
			for where, got := range map[string][]byte{
				"deb":   member(t, bytes.NewReader(output(t, "dpkg-deb", "--fsys-tarfile", p.file("deb"))), "usr/bin/haproxy-zk"),
				"rpm":   inRPM,
				"image": member(t, bytes.NewReader(output(t, "crane", "export", "--platform", "linux/"+p.arch, made.image, "-")), "usr/local/bin/haproxy-zk"),
			} {
				if !bytes.Equal(got, want) {
					t.Errorf("the binary of the %s is %s, that of the archive %s", where, sum(got), sum(want))
				}
			}
			if p.arch != "amd64" {
				return
			}
			again, err := os.ReadFile(made.again)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, want) {
				t.Errorf("built again the binary is %s, that of the archive %s", sum(again), sum(want))
			}
		})
	}
}

func sum(b []byte) string { return fmt.Sprintf("%.8x (%d bytes)", sha256.Sum256(b), len(b)) }

// member reads one executable file of a tar.
func member(t *testing.T, r io.Reader, name string) []byte {
	t.Helper()
	for files := tar.NewReader(r); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("there is no %s", name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimPrefix(strings.TrimPrefix(header.Name, "."), "/") != name {
			continue
		}
		if header.Mode&0o111 != 0o111 {
			t.Errorf("%s has the mode %o: not every user can run it", name, header.Mode)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
}
