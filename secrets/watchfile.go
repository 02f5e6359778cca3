package secrets

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
)

const (
	filePoll  = 10 * time.Second      // for file systems that say nothing
	fileQuiet = 50 * time.Millisecond // a file is written in more than one step
)

// fileWatch says that some files may have changed. Their folders are watched, since files are replaced by renaming and
// some are links to links.
type fileWatch struct {
	changed chan struct{} // holds one
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// watchFiles watches until ctx ends or close is called, whichever comes first; close waits. Without paths it does
// nothing.
func watchFiles(ctx context.Context, log hclog.Logger, paths ...string) *fileWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := &fileWatch{changed: make(chan struct{}, 1), stop: cancel}
	if len(paths) > 0 {
		w.work.Go(func() { w.run(ctx, log, paths) })
	}
	return w
}

func (w *fileWatch) close() {
	w.stop()
	w.work.Wait()
}

func (w *fileWatch) run(ctx context.Context, log hclog.Logger, paths []string) {
	var events chan fsnotify.Event
	var faults chan error
	if notify, err := fsnotify.NewWatcher(); err != nil {
		log.Warn("files cannot be watched: they are looked at now and then", "error", err, "interval", filePoll)
	} else {
		defer notify.Close()
		events, faults = notify.Events, notify.Errors
		for _, p := range paths {
			_ = notify.Add(filepath.Dir(p)) // a folder that is not there yet is found by looking
		}
	}
	seen := look(paths)
	poll := time.NewTicker(filePoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			if !sleep(ctx, fileQuiet) {
				return
			}
		case err := <-faults:
			log.Debug("a watch of files has missed something", "error", err)
		case <-poll.C:
		}
		if now := look(paths); now != seen {
			seen = now
			select {
			case w.changed <- struct{}{}:
			default:
			}
		}
	}
}

// look sums up what can be seen of files from outside.
func look(paths []string) (out string) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			out += "-\n"
			continue
		}
		out += info.ModTime().String() + " " + info.Mode().String() + " " + time.Duration(info.Size()).String() + inode(info) + "\n"
	}
	return out
}
