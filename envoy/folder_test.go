package envoy

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Folders of the living stay, those of the dead go, and what is no such folder is left alone.
func TestFoldersOfTheDeadAreTakenAway(t *testing.T) {
	root := t.TempDir()
	t.Setenv("TMPDIR", root)
	first, remove, err := Folder()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sluice-envoy-1-0", "sluice-envoy-older", "other"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sluice-envoy-1-0/lock", "sluice-envoy-1-0/bootstrap.json", "other/lock"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second, removeSecond, err := Folder()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(root, "other"), first, second, filepath.Join(root, "sluice-envoy-older")}
	expectFolders(t, root, want)
	remove()
	removeSecond()
	expectFolders(t, root, []string{filepath.Join(root, "other"), filepath.Join(root, "sluice-envoy-older")})
}

func expectFolders(t *testing.T, root string, want []string) {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, filepath.Join(root, e.Name()))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}
