//go:build unix

package secrets

import (
	"os"
	"strconv"
	"syscall"
)

// inode tells a file that was replaced by one of the same size and age.
func inode(info os.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return " " + strconv.FormatUint(uint64(s.Ino), 10) //nolint:unconvert // its type differs by system
	}
	return ""
}
