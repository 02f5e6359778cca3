package packaging_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// made is where the packages and the image of this machine's processor are, made once for all tests.
var made struct {
	binary        string
	first, second string // folders: the same twice
	upgrade       string // a later version, with another first configuration
	digests       [2]string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "packaging-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := makeAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func makeAll(dir string) (err error) {
	binaries := filepath.Join(dir, "binaries")
	made.binary = filepath.Join(binaries, "sluice-"+runtime.GOARCH)
	if err := command(nil, "go", "build", "-ldflags", "-X main.version=v1.2.3", "-o", made.binary, "../cmd/sluice"); err != nil {
		return err
	}
	// For the image of two processors one binary does: nothing runs it.
	for _, arch := range []string{"amd64", "arm64"} {
		if err := command(nil, "cp", "-n", made.binary, filepath.Join(binaries, "sluice-"+arch)); err != nil {
			return err
		}
	}
	later, err := laterPackaging(dir)
	if err != nil {
		return err
	}
	for i, folder := range []*string{&made.first, &made.second, &made.upgrade} {
		*folder = filepath.Join(dir, fmt.Sprint(i))
		env := []string{"BINARIES=" + binaries, "ARCHES=" + runtime.GOARCH, "DIST=" + *folder, "VERSION=v1.2.3", "SOURCE_DATE_EPOCH=1790000000"}
		if i == 2 {
			return command(append(env, "VERSION=v1.3.0", "PACKAGING="+later), "../tools/package.sh")
		}
		if err := command(env, "../tools/package.sh"); err != nil {
			return err
		}
		if made.digests[i], err = output(append(env, "ARCHES=amd64 arm64"), "../tools/image.sh"); err != nil {
			return err
		}
	}
	return nil
}

// laterPackaging is this folder as a later version might have it: with another first configuration.
func laterPackaging(dir string) (later string, err error) {
	later = filepath.Join(dir, "packaging")
	if err := os.CopyFS(later, os.DirFS(".")); err != nil {
		return "", err
	}
	name := filepath.Join(later, "config", "server.hcl")
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	return later, os.WriteFile(name, append(text, "\n# Of the later version.\n"...), 0o644)
}

func command(env []string, name string, args ...string) error {
	_, err := output(env, name, args...)
	return err
}

// output runs a command to its end and returns what it wrote to its standard output.
func output(env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// one is the one file of a folder that matches a pattern.
func one(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s of %s: found %v (%v)", pattern, folder, found, err)
	}
	return found[0]
}

func sum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
