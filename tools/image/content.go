package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is who runs in a container; a number, so that a runtime can see that it is not root.
const user = 65532

// build says what an image is made of.
type build struct {
	made              time.Time
	version, revision string
}

// labels are the OCI's names for what an image says about itself.
func (b build) labels() map[string]string {
	l := map[string]string{
		"org.opencontainers.image.title":       "sluice",
		"org.opencontainers.image.description": "A function gateway for the HashiCorp stack",
		"org.opencontainers.image.version":     b.version,
		"org.opencontainers.image.created":     b.made.Format(time.RFC3339),
	}
	if b.revision != "" {
		l["org.opencontainers.image.revision"] = b.revision
	}
	return l
}

// image is sluice for one processor: one layer on nothing.
func (b build) image(arch, binary string) (v1.Image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	files, err := b.files(program)
	if err != nil {
		return nil, fmt.Errorf("write the layer of %s: %w", arch, err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("make the layer of %s: %w", arch, err)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{
		Layer: layer, History: v1.History{Created: v1.Time{Time: b.made}, CreatedBy: "tools/image"},
	})
	if err != nil {
		return nil, fmt.Errorf("append the layer of %s: %w", arch, err)
	}
	img, err = mutate.ConfigFile(img, b.config(arch, img))
	if err != nil {
		return nil, fmt.Errorf("configure the image of %s: %w", arch, err)
	}
	return img, nil
}

func (b build) config(arch string, img v1.Image) *v1.ConfigFile {
	c, err := img.ConfigFile()
	if err != nil {
		c = &v1.ConfigFile{}
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Created = "linux", arch, v1.Time{Time: b.made}
	c.Config = v1.Config{
		User:         fmt.Sprintf("%d:%d", user, user),
		Env:          []string{"PATH=/usr/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		Entrypoint:   []string{"/usr/bin/sluice"},
		Cmd:          []string{"server", "-config", "/etc/sluice.d"},
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"8550/tcp": {}, "8551/tcp": {}},
		StopSignal:   "SIGTERM",
		Labels:       b.labels(),
	}
	return c
}

// files is the one layer: the binary, the authorities of the public web, one user, and folders to write to.
func (b build) files(program []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(name string, mode int64, owner int, content []byte) error {
		h := &tar.Header{Name: name, Mode: mode, Uid: owner, Gid: owner, ModTime: b.made, Format: tar.FormatPAX, Typeflag: tar.TypeReg, Size: int64(len(content))}
		if content == nil {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	passwd := fmt.Sprintf("root:x:0:0:root:/:/sbin/nologin\nsluice:x:%d:%d:sluice:/var/lib/sluice:/sbin/nologin\n", user, user)
	for _, f := range []struct {
		name    string
		mode    int64
		owner   int
		content []byte // nil: a folder
	}{
		{"etc/", 0o755, 0, nil},
		{"etc/group", 0o644, 0, fmt.Appendf(nil, "root:x:0:\nsluice:x:%d:\n", user)},
		{"etc/passwd", 0o644, 0, []byte(passwd)},
		{"etc/sluice.d/", 0o755, 0, nil},
		{"etc/ssl/", 0o755, 0, nil},
		{"etc/ssl/certs/", 0o755, 0, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, 0, authorities()},
		{"tmp/", 0o1777, 0, nil},
		{"usr/", 0o755, 0, nil},
		{"usr/bin/", 0o755, 0, nil},
		{"usr/bin/sluice", 0o755, 0, program},
		{"var/", 0o755, 0, nil},
		{"var/lib/", 0o755, 0, nil},
		{"var/lib/sluice/", 0o700, user, nil},
	} {
		if err := add(f.name, f.mode, f.owner, f.content); err != nil {
			return nil, fmt.Errorf("add %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("end the layer: %w", err)
	}
	return buf.Bytes(), nil
}

// authorities are those that Mozilla trusts, as golang.org/x/crypto/x509roots has them, pinned in go.mod; but for those
// that are trusted under conditions only, which a file of certificates cannot say.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
		}
	}
	return b.Bytes()
}
