package envoy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

func write(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "script", "envoy"), "#!/bin/sh\n", 0o755)
	plain := write(t, filepath.Join(dir, "plain", "envoy"), "\x7fELF", 0o644)
	elf := write(t, filepath.Join(dir, "elf", "envoy"), "\x7fELF and more", 0o755)
	cached := write(t, filepath.Join(dir, "cache", "envoy-"+Pinned, "envoy", "_bin", "envoy"), "\x7fELF", 0o755)
	path := strings.Join([]string{filepath.Dir(script), "", filepath.Dir(plain), filepath.Dir(elf)}, string(os.PathListSeparator))
	for _, c := range []struct {
		name, explicit, env, path, cache string
		want, how, wantErr               string
	}{
		{name: "flag before all", explicit: script, env: elf, path: path, want: script, how: "-envoy-path"},
		{name: "flag that is wrong", explicit: plain, env: elf, wantErr: "by -envoy-path: " + plain + " is not executable"},
		{name: "variable before the path", env: script, path: path, want: script, how: "$ENVOY_PATH"},
		{name: "variable names a directory", env: dir, path: path, wantErr: dir + " is a directory"},
		{name: "variable names nothing", env: filepath.Join(dir, "no"), path: path, wantErr: "no such file"},
		{name: "path without scripts", path: path, want: elf, how: "PATH"},
		{name: "cache last", path: filepath.Dir(script), cache: filepath.Join(dir, "cache"), want: cached, how: "cache"},
		{name: "nowhere", cache: filepath.Join(dir, "empty"), wantErr: "run `make tools`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ENVOY_PATH", c.env)
			t.Setenv("PATH", c.path)
			t.Setenv("SLUICE_CACHE", c.cache)
			t.Setenv("HOME", dir)
			got, how, err := Find(c.explicit)
			if (err == nil) != (c.wantErr == "") || err != nil && !strings.Contains(err.Error(), c.wantErr) {
				t.Fatalf("error %v, want %q", err, c.wantErr)
			}
			if got != c.want || how != c.how {
				t.Errorf("found %q by %q, want %q by %q", got, how, c.want, c.how)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	if v, err := Version(t.Context(), testenv.EnvoyPath(t)); err != nil || v != Pinned {
		t.Errorf("the pinned Envoy says %q, %v", v, err)
	}
	dir := t.TempDir()
	for output, want := range map[string]string{
		"envoy  version: ab12/1.39.9/Clean/RELEASE/BoringSSL":     "needs " + Pinned,
		"envoy  version: ab12/1.41.0-dev/Clean/RELEASE/BoringSSL": "",
		"hello": "which no Envoy does",
	} {
		_, err := Version(t.Context(), write(t, filepath.Join(dir, "envoy"), "#!/bin/sh\necho '"+output+"'\n", 0o755))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", output, err, want)
		}
	}
}
