package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dpkg runs dpkg on a root of its own.
func dpkg(t *testing.T, root string, args ...string) string {
	t.Helper()
	out, err := output([]string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "DEBIAN_FRONTEND=noninteractive"}, "dpkg", append([]string{
		"--root=" + root, "--force-not-root", "--force-script-chrootless", "--force-confdef",
	}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// newRoot is an empty system that has a database of packages.
func newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"var/lib/dpkg/status", "var/lib/dpkg/available"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestInstallAndUpgrade installs the deb package into a root, edits its configuration, upgrades, and removes it.
func TestInstallAndUpgrade(t *testing.T) {
	root := newRoot(t)
	file := func(name string) string { return filepath.Join(root, name) }
	dpkg(t, root, "--install", one(t, made.first, "*.deb"))

	program := file("usr/bin/sluice")
	if out, err := output(nil, program, "version"); err != nil || !strings.Contains(out, "v1.2.3") {
		t.Errorf("the installed binary says %q (%v)", out, err)
	}
	if _, err := output(nil, program, "server", "-check", "-config", file("etc/sluice.d")); err != nil {
		t.Errorf("the installed configuration is not fine: %v", err)
	}
	if _, err := output(nil, program, "validate", file("etc/sluice/documents")); err != nil {
		t.Errorf("the installed documents are not fine: %v", err)
	}
	for _, user := range []string{"sluice", "sluice-envoy"} {
		if users := string(readFile(t, file("etc/passwd"))); !strings.Contains(users, "\n"+user+":") && !strings.HasPrefix(users, user+":") {
			t.Errorf("there is no user %s:\n%s", user, users)
		}
	}
	if info, err := os.Stat(file("etc/sluice/credentials")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("credentials: %v, %v", info, err)
	}

	edited := "# mine\n" + string(readFile(t, file("etc/sluice.d/server.hcl")))
	if err := os.WriteFile(file("etc/sluice.d/server.hcl"), []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	added := file("etc/sluice/documents/shop.hcl")
	if err := os.WriteFile(added, []byte("# mine too\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dpkg(t, root, "--install", one(t, made.upgrade, "*.deb"))
	if got := dpkg(t, root, "--status", "sluice"); !strings.Contains(got, "\nVersion: 1.3.0-1\n") {
		t.Errorf("after the upgrade the package is:\n%s", got)
	}
	if offered := string(readFile(t, file("etc/sluice.d/server.hcl.dpkg-dist"))); !strings.Contains(offered, "Of the later version") {
		t.Errorf("the later configuration, which lies beside the edited one, is:\n%s", offered)
	}
	dpkg(t, root, "--remove", "sluice")
	if _, err := os.Stat(program); !os.IsNotExist(err) {
		t.Errorf("the binary is still there: %v", err)
	}
	if got := string(readFile(t, file("etc/sluice.d/server.hcl"))); got != edited {
		t.Errorf("what was edited has become:\n%s", got)
	}
	if got := string(readFile(t, added)); got != "# mine too\n" {
		t.Errorf("what was added has become %q", got)
	}
}

// TestScriptsAreShell has a shell read the scripts of packages.
func TestScriptsAreShell(t *testing.T) {
	for _, name := range []string{"postinstall", "preremove", "postremove"} {
		if out, err := exec.Command("sh", "-n", "scripts/"+name+".sh").CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
