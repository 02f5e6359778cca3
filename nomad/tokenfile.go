package nomad

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// tokenFile is a file that is read again when it has changed. It is safe for concurrent use.
type tokenFile struct {
	path string

	mu   sync.Mutex
	mod  time.Time
	size int64
	text string
}

// get returns the token. Once read, a file that is gone or empty (half a rotation) leaves the last token in force.
func (f *tokenFile) get() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err == nil && f.text != "" && info.ModTime().Equal(f.mod) && info.Size() == f.size {
		return f.text, nil
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(f.path)
	}
	text := strings.TrimSpace(string(b))
	switch {
	case text != "":
		f.mod, f.size, f.text = info.ModTime(), info.Size(), text
	case f.text != "":
	case err == nil:
		err = fmt.Errorf("read token file %s: it is empty", f.path)
	}
	if f.text != "" {
		return f.text, nil
	}
	return "", err
}
