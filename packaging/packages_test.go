package packaging_test

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// wanted is what every package has, beside pages of docs/ and of the manual, of which some are named.
var wanted = map[string]entry{
	"/etc/sluice":                                           {mode: 0o755 | fs.ModeDir},
	"/etc/sluice.d":                                         {mode: 0o755 | fs.ModeDir},
	"/etc/sluice/credentials":                               {mode: 0o700 | fs.ModeDir},
	"/etc/sluice/documents":                                 {mode: 0o755 | fs.ModeDir},
	"/etc/sluice.d/server.hcl":                              {mode: 0o644, config: true},
	"/etc/sluice/documents/hello.hcl":                       {mode: 0o644, config: true},
	"/etc/sluice/envoy.env":                                 {mode: 0o644, config: true},
	"/usr/bin/sluice":                                       {mode: 0o755},
	"/usr/lib/systemd/system/sluice.service":                {mode: 0o644},
	"/usr/lib/systemd/system/sluice-envoy@.service":         {mode: 0o644},
	"/usr/lib/sysusers.d/sluice.conf":                       {mode: 0o644},
	"/usr/share/man/man1/sluice.1.gz":                       {mode: 0o644},
	"/usr/share/man/man1/sluice-server.1.gz":                {mode: 0o644},
	"/usr/share/man/man1/sluice-envoy-run.1.gz":             {mode: 0o644},
	"/usr/share/bash-completion/completions/sluice":         {mode: 0o644},
	"/usr/share/zsh/site-functions/_sluice":                 {mode: 0o644},
	"/usr/share/fish/vendor_completions.d/sluice.fish":      {mode: 0o644},
	"/usr/share/doc/sluice/systemd.md":                      {mode: 0o644},
	"/usr/share/doc/sluice/CHANGELOG.md":                    {mode: 0o644},
	"/usr/share/doc/sluice/examples/credentials.conf":       {mode: 0o644},
	"/usr/share/doc/sluice/examples/envoy-credentials.conf": {mode: 0o644},
	"/usr/share/doc/sluice/examples/notify-reload.conf":     {mode: 0o644},
}

// ours are the folders that a package may bring something into.
var ours = []string{
	"/etc/sluice", "/etc/sluice.d", "/usr/bin", "/usr/lib/systemd/system", "/usr/lib/sysusers.d", "/usr/share/man/man1",
	"/usr/share/bash-completion/completions", "/usr/share/zsh/site-functions", "/usr/share/fish/vendor_completions.d",
	"/usr/share/doc/sluice",
}

func TestPackagesHaveTheSameFiles(t *testing.T) {
	_, deb := readDeb(t, one(t, made.first, "*.deb"))
	apk := archive(t, bytes.NewReader(readFile(t, one(t, made.first, "*.apk"))))
	maps.DeleteFunc(apk, func(name string, _ entry) bool { return strings.HasPrefix(path.Base(name), ".") })
	for kind, have := range map[string]contents{"deb": deb, "rpm": readRPM(t, one(t, made.first, "*.rpm")), "apk": apk} {
		for name, want := range wanted {
			got, ok := have[name]
			switch {
			case !ok:
				t.Errorf("%s: %s is not there", kind, name)
			case got.mode != want.mode:
				t.Errorf("%s: %s has mode %v, want %v", kind, name, got.mode, want.mode)
			case got.config != want.config && kind != "apk": // apk keeps whatever is below /etc
				t.Errorf("%s: %s is kept as it was edited: %v, want %v", kind, name, got.config, want.config)
			}
		}
		files := 0
		for name, got := range have {
			if got.owner != "0:0" && got.owner != "root:root" {
				t.Errorf("%s: %s belongs to %s", kind, name, got.owner)
			}
			if got.mode&0o022 != 0 || got.mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
				t.Errorf("%s: %s has mode %v", kind, name, got.mode)
			}
			if got.mode.IsDir() {
				continue
			}
			files++
			if !slices.ContainsFunc(ours, func(dir string) bool { return strings.HasPrefix(name, dir+"/") }) {
				t.Errorf("%s: %s lies where nothing of sluice should", kind, name)
			}
			if e, ok := deb[name]; !ok || !bytes.Equal(e.content, got.content) {
				t.Errorf("%s: %s differs from that of the deb package", kind, name)
			}
		}
		if sum(have["/usr/bin/sluice"].content) != sum(readFile(t, made.binary)) {
			t.Errorf("%s: the binary is another one", kind)
		}
		t.Logf("%s: %d files", kind, files)
	}
}

func TestPackagesAreReproducible(t *testing.T) {
	for _, pattern := range []string{"*.deb", "*.rpm", "*.apk", "*.tar.gz", "SHA256SUMS", "sluice-image.tar"} {
		first, second := readFile(t, one(t, made.first, pattern)), readFile(t, one(t, made.second, pattern))
		if !bytes.Equal(first, second) {
			t.Errorf("%s made twice differs: %s and %s", pattern, sum(first), sum(second))
		}
	}
	if made.digests[0] != made.digests[1] {
		t.Errorf("the image made twice has the digests %v", made.digests)
	}
}

// Versions are ordered by what the three tools go by.
func TestVersions(t *testing.T) {
	control, _ := readDeb(t, one(t, made.first, "*.deb"))
	if text := string(control["/control"].content); !strings.Contains(text, "\nVersion: 1.2.3-1\n") {
		t.Errorf("the control file has another version:\n%s", text)
	}
	apk := archive(t, bytes.NewReader(readFile(t, one(t, made.first, "*.apk"))))
	if text := string(apk["/.PKGINFO"].content); !strings.Contains(text, "\npkgver = 1.2.3-r1\n") {
		t.Errorf("the apk package has another version:\n%s", text)
	}
}
