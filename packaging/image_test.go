package packaging_test

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// descriptor points to a blob of an image.
type descriptor struct {
	MediaType, Digest string
	Size              int
	Platform          struct{ OS, Architecture string }
	Annotations       map[string]string
}

// TestImage follows the image from its index to its files.
func TestImage(t *testing.T) {
	blobs := tarball(t, readFile(t, one(t, made.first, "sluice-image.tar")))
	blob := func(d descriptor) []byte {
		t.Helper()
		raw := blobs["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
		if "sha256:"+sum(raw) != d.Digest || len(raw) != d.Size {
			t.Errorf("the blob %s has %d bytes and the sum %s", d.Digest, len(raw), sum(raw))
		}
		return raw
	}
	if got := string(blobs["oci-layout"]); !strings.Contains(got, `"imageLayoutVersion": "1.0.0"`) {
		t.Errorf("oci-layout says %s", got)
	}
	var top, index struct{ Manifests []descriptor }
	decode(t, blobs["index.json"], &top)
	if len(top.Manifests) != 1 || top.Manifests[0].Digest != made.digests[0] || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "v1.2.3" {
		t.Fatalf("index.json names %+v, and %s was printed", top.Manifests, made.digests[0])
	}
	decode(t, blob(top.Manifests[0]), &index)
	var arches []string
	for _, d := range index.Manifests {
		arches = append(arches, d.Platform.OS+"/"+d.Platform.Architecture)
		checkImage(t, blob, d)
	}
	if !slices.Equal(arches, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("the index is for %v", arches)
	}
}

func checkImage(t *testing.T, blob func(descriptor) []byte, d descriptor) {
	t.Helper()
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	decode(t, blob(d), &manifest)
	var config struct {
		Architecture, OS, Created string
		Config                    struct {
			User            string
			Env, Entrypoint []string
			Labels          map[string]string
		}
	}
	decode(t, blob(manifest.Config), &config)
	c := config.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/sluice"}) || c.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("the image runs %+v", c)
	}
	if config.OS != "linux" || config.Architecture != d.Platform.Architecture || config.Created != "2026-09-21T14:13:20Z" {
		t.Errorf("the image is %+v", config)
	}
	if len(manifest.Layers) != 1 {
		t.Fatalf("the image has the layers %+v", manifest.Layers)
	}
	checkLayer(t, archive(t, bytes.NewReader(blob(manifest.Layers[0]))))
}

func checkLayer(t *testing.T, files contents) {
	t.Helper()
	if sum(files["/usr/bin/sluice"].content) != sum(readFile(t, made.binary)) || files["/usr/bin/sluice"].mode != 0o755 {
		t.Error("the binary is another one")
	}
	if got := string(files["/etc/passwd"].content); !strings.Contains(got, "\nsluice:x:65532:65532:") {
		t.Errorf("the users are:\n%s", got)
	}
	if got := files["/var/lib/sluice"]; got.owner != "65532:65532" || got.mode != 0o700|fs.ModeDir {
		t.Errorf("the state directory is %v of %s", got.mode, got.owner)
	}
	pem := files["/etc/ssl/certs/ca-certificates.crt"].content
	if n := strings.Count(string(pem), "BEGIN CERTIFICATE"); n < 50 || !x509.NewCertPool().AppendCertsFromPEM(pem) {
		t.Errorf("there are %d authorities", n)
	}
}

// tarball are the files of a tar archive.
func tarball(t *testing.T, raw []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for files := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out[h.Name], err = io.ReadAll(files); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%v in:\n%s", err, raw)
	}
}
