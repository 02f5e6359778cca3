package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/hcl"
)

type fmtFlags struct {
	check, diff, recursive bool
}

func (a *app) fmtCommand() *cobra.Command {
	var f fmtFlags
	c := &cobra.Command{
		Use: "fmt [PATH…]", Short: "Bring documents into the usual form",
		Long: "Rewrite documents in the usual form: files, or the *.hcl files of directories (default: this one). A path\n" +
			"of - reads standard input and writes standard output. The names of changed files are printed.",
		RunE: func(_ *cobra.Command, args []string) error { return a.format(args, f) },
	}
	c.Flags().BoolVar(&f.check, "check", false, "change nothing; exit code 1 says that a file is not in the usual form")
	c.Flags().BoolVar(&f.diff, "diff", false, "print the differences")
	c.Flags().BoolVar(&f.recursive, "recursive", false, "go into sub-directories")
	return c
}

func (a *app) format(paths []string, f fmtFlags) error {
	if len(paths) == 1 && paths[0] == "-" {
		return a.formatInput(f)
	}
	if len(paths) == 0 {
		paths = []string{"."}
	}
	files, err := fmtFiles(paths, f.recursive)
	if err != nil {
		return err
	}
	off, broken := false, false
	for _, file := range files {
		text, ok := a.formatted(file)
		if !ok {
			broken = true
			continue
		}
		if bytes.Equal(text, file.text) {
			continue
		}
		off = true
		fmt.Fprintln(a.out, file.name)
		if f.diff {
			fmt.Fprint(a.out, unifiedDiff(file.name, string(file.text), string(text)))
		}
		if !f.check {
			if err := rewrite(file.name, text); err != nil {
				return err
			}
		}
	}
	if broken || off && f.check {
		return wrong()
	}
	return nil
}

func (a *app) formatInput(f fmtFlags) error {
	text, err := io.ReadAll(io.LimitReader(a.in, maxFileBytes))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	out, ok := a.formatted(file{"standard input", text})
	switch {
	case !ok:
		return wrong()
	case f.diff:
		fmt.Fprint(a.out, unifiedDiff("standard input", string(text), string(out)))
	case !f.check:
		_, err = a.out.Write(out)
	}
	if f.check && !bytes.Equal(out, text) {
		return wrong()
	}
	return err
}

// formatted is a document in the usual form. One that does not parse is reported and left alone.
func (a *app) formatted(f file) ([]byte, bool) {
	out, diags := hcl.Format(f.name, f.text)
	if diags.HasErrors() {
		a.diagnose(diags, map[string][]byte{f.name: f.text})
		return nil, false
	}
	return out, true
}

// fmtFiles reads the files to format; without recursion only those directly in a directory.
func fmtFiles(paths []string, recursive bool) ([]file, error) {
	files, err := readMatching(paths, isHCL)
	if err != nil || recursive {
		return files, err
	}
	direct := map[string]bool{}
	for _, p := range paths {
		direct[filepath.Clean(p)] = true
	}
	var out []file
	for _, f := range files {
		if path := filepath.FromSlash(f.name); direct[path] || direct[filepath.Dir(path)] {
			out = append(out, f)
		}
	}
	return out, nil
}

// rewrite replaces a file's content at once, so that who watches it never sees half of it. A link stays a link.
func rewrite(name string, text []byte) error {
	path, err := filepath.EvalSymlinks(filepath.FromSlash(name))
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", name, err)
	}
	if err := renameio.WriteFile(path, text, info.Mode().Perm()); err != nil {
		return fmt.Errorf("rewrite %s: %w", name, err)
	}
	return nil
}

// unifiedDiff shows how lines change, with three lines around each change.
func unifiedDiff(name, before, after string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", name, name)
	for _, h := range hunks(diffLines(lines(before), lines(after))) {
		b.WriteString(h)
	}
	return b.String()
}
