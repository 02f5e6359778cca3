package envoy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Find returns the Envoy to run and how it was found, in words for the log. It looks at, in this order: explicit (the
// value of a flag, empty if none was given), $ENVOY_PATH, the directories of $PATH, the tool cache. One that is named
// explicitly or by the variable must be there; on the PATH, scripts are passed over, since wrappers named envoy are
// common and keep signals from reaching the real one.
func Find(explicit string) (path, how string, err error) {
	if explicit != "" {
		return named(explicit, "-envoy-path")
	}
	if p := os.Getenv("ENVOY_PATH"); p != "" {
		return named(p, "$ENVOY_PATH")
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if p := filepath.Join(dir, "envoy"); filepath.IsAbs(p) && native(p) {
			return p, "PATH", nil
		}
	}
	cached := filepath.Join(CacheDir(), "envoy-"+Pinned, "envoy", "_bin", "envoy")
	if native(cached) {
		return cached, "cache", nil
	}
	return "", "", fmt.Errorf("find envoy: not given by -envoy-path or $ENVOY_PATH, not on the PATH, and not at %s: "+
		"run `make tools`, or install Envoy %s and name it by one of these", cached, Pinned)
}

// CacheDir is where `make tools` puts what it installs: $SLUICE_CACHE, else "sluice" in the user's cache directory.
func CacheDir() string {
	if d := os.Getenv("SLUICE_CACHE"); d != "" {
		return d
	}
	d, err := os.UserCacheDir()
	if err != nil {
		d = os.TempDir() // no home directory
	}
	return filepath.Join(d, "sluice")
}

func named(path, how string) (string, string, error) {
	if err := executable(path); err != nil {
		return "", "", fmt.Errorf("find envoy by %s: %w", how, err)
	}
	return path, how, nil
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name the binary in it", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable", path)
	}
	return nil
}

// native says whether path is an executable of this kind of system rather than a script.
func native(path string) bool {
	if executable(path) != nil {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	switch string(magic[:]) {
	case "\x7fELF", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe": // ELF; Mach-O 64 bit, universal
		return true
	}
	return false
}
