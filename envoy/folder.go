package envoy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	folderName = "sluice-envoy-" // with the process's number, and a number of the folder's own
	folderLock = "lock"          // locked while the process lives
	mostTries  = 1000
)

// Folder makes a folder of this process's own below the system's for temporary files; remove takes it away. A process
// that is killed leaves its folders: those whose process is gone are taken away first.
func Folder() (path string, remove func(), err error) {
	root := os.TempDir()
	sweep(root)
	hidden, err := os.MkdirTemp(root, ".sluice-") // nobody sweeps it before it is locked
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for envoy: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(hidden, folderLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = flock(lock)
	}
	if err == nil {
		path, err = rename(hidden, filepath.Join(root, fmt.Sprintf("%s%d-", folderName, os.Getpid())))
	}
	if err != nil {
		_ = lock.Close() // nil too
		_ = os.RemoveAll(hidden)
		return "", nil, fmt.Errorf("make a folder for envoy: %w", err)
	}
	return path, func() {
		_ = os.RemoveAll(path) // before the lock is let go
		_ = lock.Close()
	}, nil
}

// rename gives a folder the first free name.
func rename(from, begin string) (path string, err error) {
	for n := range mostTries {
		path = fmt.Sprint(begin, n)
		if _, err = os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err = os.Rename(from, path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no name %s… is free: %w", begin, err)
}

// sweep takes away the folders that nobody holds. What is another user's cannot be, and stays.
func sweep(root string) {
	found, err := filepath.Glob(filepath.Join(root, folderName+"*", folderLock))
	if err != nil {
		return // the folder's name is no pattern
	}
	for _, name := range found {
		lock, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if flock(lock) == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		_ = lock.Close()
	}
}

// flock locks a file as long as it is open, or says that somebody else does.
func flock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
