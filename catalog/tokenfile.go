package catalog

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// fileText is a file that is read again when it has changed. It is safe for concurrent use.
type fileText struct {
	path string

	mu   sync.Mutex
	mod  time.Time
	size int64
	text string
}

// get returns the file's text. Once read, a file that is gone or empty (half a rotation) leaves the last text in force.
func (f *fileText) get() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return f.keep(err)
	}
	if f.text != "" && info.ModTime().Equal(f.mod) && info.Size() == f.size {
		return f.text, nil
	}
	b, err := os.ReadFile(f.path)
	if err != nil {
		return f.keep(err)
	}
	t := strings.TrimSpace(string(b))
	if t == "" {
		return f.keep(fmt.Errorf("read token file %s: it is empty", f.path))
	}
	f.mod, f.size, f.text = info.ModTime(), info.Size(), t
	return t, nil
}

func (f *fileText) keep(err error) (string, error) {
	if f.text != "" {
		return f.text, nil
	}
	return "", err
}
