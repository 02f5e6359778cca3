package main

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

const (
	settleTime = 200 * time.Millisecond // after the last event of a burst
	pollTime   = 30 * time.Second       // for file systems that tell nothing
)

// fileFeed hands the documents on disk, and what they read by env() and file(), to the loop.
type fileFeed struct {
	p       *plane
	watcher *fsnotify.Watcher // nil: the system has none to give; then polling does
	watched map[string]bool

	docs   map[string]*gateway.Document // as delivered
	scout  *gateway.World               // the same documents, to learn what they read
	values map[gateway.ID]*string       // of variables and files, as delivered
	failed string                       // why the last scan failed; said once
}

// feedFiles watches the configured paths until ctx ends. A change that is surely whole is taken at once, everything
// else when the disk has been quiet for a moment.
func (p *plane) feedFiles(ctx context.Context) error {
	t, err := translator()
	if err != nil {
		return err
	}
	f := &fileFeed{
		p: p, watched: map[string]bool{}, docs: map[string]*gateway.Document{},
		scout: gateway.New(rules(t, nil)), values: map[gateway.ID]*string{},
	}
	var events chan fsnotify.Event
	if f.watcher, err = fsnotify.NewWatcher(); err != nil {
		p.cfg.log.Warn("cannot watch files; looking every 30 s", "error", err)
	} else {
		defer f.watcher.Close()
		events = f.watcher.Events
	}
	f.scan(true)
	quiet, poll := time.NewTimer(time.Hour), time.NewTicker(pollTime)
	defer quiet.Stop()
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-events:
			f.scan(false)
			quiet.Reset(settleTime)
		case <-quiet.C:
			f.scan(true)
		case <-poll.C:
			f.scan(true)
		case done := <-p.rescan:
			f.scan(true)
			close(done)
		}
	}
}

// scan reads everything and delivers what differs. Unless all is true it delivers nothing when some of it may be half
// written: what does not parse, lost blocks, or is gone.
func (f *fileFeed) scan(all bool) {
	files, err := readPaths(f.p.cfg.paths)
	f.watch()
	if err != nil {
		if text := err.Error(); text != f.failed {
			f.failed = text
			f.p.cfg.log.Warn("cannot read documents; the last good ones stay in force", "error", err)
		}
		return
	}
	f.failed = ""
	changed, whole := f.compare(files)
	if !all && !whole {
		return
	}
	f.scout, _ = gateway.Apply(f.scout, gateway.Input{Documents: changed})
	for name, d := range changed {
		if d == nil {
			delete(f.docs, name)
		} else {
			f.docs[name] = d
		}
	}
	if leaves := f.leaves(); len(leaves) > 0 {
		f.p.loop.Leaves(leaves)
	}
	f.p.deliver(changed, true)
	f.watch()
}

// compare lists what differs from what was delivered, and says whether it is surely whole.
func (f *fileFeed) compare(files []file) (changed map[string]*gateway.Document, whole bool) {
	changed, whole = map[string]*gateway.Document{}, true
	seen := map[string]bool{}
	for _, file := range files {
		seen[file.name] = true
		before := f.docs[file.name]
		if before != nil && before.Text == string(file.text) {
			continue
		}
		d := f.p.document(hcl.Origin{Name: file.name, File: true}, file.text)
		d.Text = string(file.text)
		changed[file.name] = d
		whole = whole && len(d.Diags) == 0 && len(d.Blocks) > 0 && keepsBlocks(before, d)
	}
	for name := range f.docs {
		if !seen[name] {
			changed[name], whole = nil, false
		}
	}
	return changed, whole
}

// keepsBlocks says that no block of a document is missing from its next version.
func keepsBlocks(before, after *gateway.Document) bool {
	if before == nil {
		return true
	}
	have := map[gateway.ID]bool{}
	for _, b := range after.Blocks {
		have[b.ID()] = true
	}
	return !slices.ContainsFunc(before.Blocks, func(b gateway.Written) bool { return !have[b.ID()] })
}

// leaves reads the variables and files that the documents mention, and returns those that differ from before.
func (f *fileFeed) leaves() map[gateway.ID]*string {
	changed := map[gateway.ID]*string{}
	for range 20 { // what one file says may decide which one is read next
		next := map[gateway.ID]*string{}
		for id := range f.scout.Leaves() {
			if id.Kind == gateway.KindValue {
				continue
			}
			v, before := readLeaf(id, os.LookupEnv), f.values[id]
			if v == before || v != nil && before != nil && *v == *before {
				continue
			}
			next[id], f.values[id] = v, v
		}
		if len(next) == 0 {
			return changed
		}
		maps.Copy(changed, next)
		f.scout, _ = gateway.Apply(f.scout, gateway.Input{Leaves: next})
	}
	return changed
}

// watch adds the directories that are not watched yet.
func (f *fileFeed) watch() {
	if f.watcher == nil {
		return
	}
	for dir := range f.directories() {
		if f.watched[dir] {
			continue
		}
		if err := f.watcher.Add(dir); err == nil {
			f.watched[dir] = true
		}
	}
	for dir := range f.watched {
		if _, err := os.Stat(dir); err != nil {
			delete(f.watched, dir) // it is added again when it is back
		}
	}
}

// directories are those that hold documents, and files that documents read.
func (f *fileFeed) directories() map[string]bool {
	out := map[string]bool{}
	for _, p := range f.p.cfg.paths {
		p = filepath.Clean(p)
		info, err := os.Stat(p)
		if err != nil || !info.IsDir() {
			out[filepath.Dir(p)] = true
			continue
		}
		root := p
		if linked, err := filepath.EvalSymlinks(p); err == nil {
			root = linked
			out[filepath.Dir(p)] = root != p || out[filepath.Dir(p)]
		}
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return nil
			case path != root && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			}
			out[path] = true
			return nil
		})
	}
	for id := range f.values {
		if id.Kind == gateway.KindFile {
			out[filepath.Dir(filepath.FromSlash(id.Name))] = true
		}
	}
	maps.DeleteFunc(out, func(_ string, wanted bool) bool { return !wanted })
	return out
}
