package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// Bounds on what is read from disk. The language has a bound of its own on one document, above which it says so.
const (
	maxFileBytes = 2 << 20
	maxFiles     = 20_000
)

// file is one document on disk.
type file struct {
	name string // as it is shown: with forward slashes
	text []byte
}

// testSuffix ends the names of files that hold tests, not documents.
const testSuffix = ".test.hcl"

func isTest(name string) bool { return strings.HasSuffix(name, testSuffix) }

// isDocument says that a file of a directory is a document.
func isDocument(name string) bool { return isHCL(name) && !isTest(name) }

func isHCL(name string) bool { return strings.HasSuffix(name, ".hcl") }

// readPaths reads files, and every document below directories; files of tests, hidden files and hidden directories are
// left out. The result is sorted by name. A path that cannot be read is an error of usage.
func readPaths(paths []string) ([]file, error) {
	files, err := readMatching(paths, isDocument)
	return slices.DeleteFunc(files, func(f file) bool { return isTest(f.name) }), err
}

// readMatching reads files, and those below directories that are wanted.
func readMatching(paths []string, wanted func(name string) bool) ([]file, error) {
	byName := map[string]file{}
	for _, p := range paths {
		names, err := listPath(p, wanted)
		if err != nil {
			return nil, usage("read %s: %w", p, err)
		}
		for _, name := range names {
			text, err := readBounded(name)
			if errors.Is(err, fs.ErrNotExist) && name != p {
				continue // gone between listing and reading
			}
			if err != nil {
				return nil, usage("read %s: %w", name, err)
			}
			shown := filepath.ToSlash(name)
			byName[shown] = file{shown, text}
		}
	}
	out := make([]file, 0, len(byName))
	for _, f := range byName {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// listPath is the wanted files at a path. A symbolic link is followed where it is the path itself or a file.
func listPath(path string, wanted func(name string) bool) ([]string, error) {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	root := path
	if linked, err := filepath.EvalSymlinks(path); err == nil {
		root = linked
	}
	var names []string
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == root:
			return nil
		case strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !wanted(d.Name()):
			return nil
		}
		if info, err := os.Stat(p); err != nil || !info.Mode().IsRegular() {
			return nil // a link that leads nowhere, a socket
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if names = append(names, filepath.Join(path, rel)); len(names) > maxFiles {
			return fmt.Errorf("more than %d documents", maxFiles)
		}
		return nil
	})
	return names, plainPathError(err)
}

// plainPathError leaves out the path, which the caller names.
func plainPathError(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plainPathError(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	return text, plainPathError(err)
}

// workspace is documents of files made into a world, without any server.
type workspace struct {
	schema *hcl.Schema
	world  *gateway.World
	texts  map[string][]byte // by document, for diagnostics
	own    map[string]bool   // documents that were read here, not from a world file
}

// workspaceOf makes a world of files. What kv() reads has its default unless values has it; env() and file() read this
// machine's.
func workspaceOf(files []file, base *gateway.World, s *hcl.Schema, env func(string) (string, bool)) *workspace {
	ws := &workspace{schema: s, texts: map[string][]byte{}, own: map[string]bool{}}
	docs := map[string]*gateway.Document{}
	for _, f := range files {
		docs[f.name] = hcl.Parse(hcl.Origin{Name: f.name, File: true}, f.text, s)
		ws.texts[f.name], ws.own[f.name] = f.text, true
	}
	ws.world, _ = gateway.Apply(base, gateway.Input{Documents: docs, Settled: true})
	ws.world = settleLeaves(ws.world, env)
	return ws
}

// settleLeaves gives a world the variables and files that its blocks read, until none is new.
func settleLeaves(w *gateway.World, env func(string) (string, bool)) *gateway.World {
	tried := map[gateway.ID]bool{}
	for {
		leaves := map[gateway.ID]*string{}
		for id := range w.Leaves() {
			if !tried[id] {
				tried[id] = true
				if v := readLeaf(id, env); v != nil {
					leaves[id] = v
				}
			}
		}
		if len(leaves) == 0 {
			return w
		}
		w, _ = gateway.Apply(w, gateway.Input{Leaves: leaves})
	}
}

// readLeaf is a variable or the content of a file; nil where there is none.
func readLeaf(id gateway.ID, env func(string) (string, bool)) *string {
	switch id.Kind {
	case gateway.KindEnv:
		if v, ok := env(id.Name); ok {
			return &v
		}
	case gateway.KindFile:
		if text, err := readBounded(filepath.FromSlash(id.Name)); err == nil {
			s := string(text)
			return &s
		}
	}
	return nil
}

// diagnostics are all that is wrong with the documents that were read here, in the order of the documents.
func (ws *workspace) diagnostics() hclv2.Diagnostics {
	var diags hclv2.Diagnostics
	for name, d := range ws.world.Documents() {
		if ws.own[name] {
			diags = append(diags, d.Diags...)
		}
	}
	for _, b := range ws.world.Blocks() {
		diags = append(diags, b.Diags...)
	}
	diags = slices.DeleteFunc(hcl.Dedup(diags), func(d *hclv2.Diagnostic) bool {
		return d.Subject != nil && !ws.own[d.Subject.Filename]
	})
	slices.SortStableFunc(diags, compareDiagnostics)
	return diags
}

func compareDiagnostics(a, b *hclv2.Diagnostic) int {
	var x, y hclv2.Range
	if a.Subject != nil {
		x = *a.Subject
	}
	if b.Subject != nil {
		y = *b.Subject
	}
	if c := strings.Compare(x.Filename, y.Filename); c != 0 {
		return c
	}
	return x.Start.Byte - y.Start.Byte
}
