package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every command has a page, and no text of a command is read as one of troff's.
func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if code := execute([]string{"man", dir}, strings.NewReader(""), io.Discard, os.Stderr); code != codeFine {
		t.Fatalf("sluice man ended with %d", code)
	}
	for _, name := range []string{"sluice", "sluice-server", "sluice-envoy", "sluice-envoy-run", "sluice-apply"} {
		raw, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"} {
			if section == "OPTIONS" && name == "sluice-envoy" {
				continue // it has none
			}
			if !strings.Contains(string(raw), "\n.SH "+section+"\n") {
				t.Errorf("%s has no section %s", name, section)
			}
		}
		for n, line := range strings.Split(string(raw), "\n") {
			if strings.HasPrefix(line, ".") && !strings.HasPrefix(line, ".TH ") && !strings.HasPrefix(line, ".SH ") && !strings.HasPrefix(line, ".B ") && line != ".TP" {
				t.Errorf("%s:%d is read as a command: %s", name, n+1, line)
			}
		}
	}
	if got, want := roff(".x\n'y\\z -a"), "\\&.x\n\\&'y\\ez \\-a"; got != want {
		t.Errorf("roff writes %q, want %q", got, want)
	}
}
