package packaging_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
)

// entry is a file or folder of a package.
type entry struct {
	mode    fs.FileMode // permissions, and whether it is a folder
	owner   string      // user:group
	config  bool        // what an operator edits: kept at an upgrade
	content []byte
}

// contents are the entries of a package by their path from the root.
type contents map[string]entry

// archive is a folder of deb and apk packages: a tar archive, compressed.
func archive(t *testing.T, r io.Reader) contents {
	t.Helper()
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	out := contents{}
	files := tar.NewReader(unzipped)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		mode := h.FileInfo().Mode() & (fs.ModePerm | fs.ModeDir | fs.ModeSetuid | fs.ModeSetgid)
		out[path.Join("/", h.Name)] = entry{mode: mode, owner: fmt.Sprintf("%d:%d", h.Uid, h.Gid), content: content}
	}
}

// readDeb reads the two archives of a deb package: an ar archive of them.
func readDeb(t *testing.T, file string) (control, data contents) {
	t.Helper()
	raw := bytes.TrimPrefix(readFile(t, file), []byte("!<arch>\n"))
	for len(raw) >= 60 {
		name := strings.TrimRight(strings.TrimSpace(string(raw[:16])), "/")
		size, err := strconv.Atoi(strings.TrimSpace(string(raw[48:58])))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		member := raw[60 : 60+size]
		switch name {
		case "control.tar.gz":
			control = archive(t, bytes.NewReader(member))
		case "data.tar.gz":
			data = archive(t, bytes.NewReader(member))
		}
		raw = raw[min(60+size+size%2, len(raw)):]
	}
	for line := range strings.Lines(string(control["/conffiles"].content)) {
		name := strings.TrimSpace(line)
		e, ok := data[name]
		if !ok {
			t.Fatalf("%s: the configuration file %s is not there", file, name)
		}
		e.config = true
		data[name] = e
	}
	return control, data
}

// The tags of an rpm header that are read.
const (
	rpmModes, rpmFlags, rpmUsers, rpmGroups         = 1030, 1037, 1039, 1040
	rpmDirIndexes, rpmBaseNames, rpmDirNames        = 1116, 1117, 1118
	rpmConfig, rpmNoReplace                  uint32 = 1, 16
)

// rpmHeader reads a header of an rpm package and returns its tags, as they are stored, and what comes after it.
func rpmHeader(t *testing.T, raw []byte) (tags map[uint32][]byte, rest []byte) {
	t.Helper()
	if !bytes.HasPrefix(raw, []byte{0x8e, 0xad, 0xe8, 1}) {
		t.Fatalf("no header begins with % x", raw[:4])
	}
	count, size := binary.BigEndian.Uint32(raw[8:]), binary.BigEndian.Uint32(raw[12:])
	index, store := raw[16:16+16*count], raw[16+16*count:][:size]
	tags = map[uint32][]byte{}
	for ; len(index) > 0; index = index[16:] {
		tags[binary.BigEndian.Uint32(index)] = store[binary.BigEndian.Uint32(index[8:]):]
	}
	return tags, raw[16+16*count+size:]
}

func rpmStrings(raw []byte, n int) []string { return strings.SplitN(string(raw), "\x00", n+1)[:n] }

// readRPM reads an rpm package: a lead, two headers, and a cpio archive.
func readRPM(t *testing.T, file string) contents {
	t.Helper()
	raw := readFile(t, file)
	_, rest := rpmHeader(t, raw[96:])
	rest = rest[(8-(len(raw)-len(rest))%8)%8:]
	tags, payload := rpmHeader(t, rest)
	unzipped, err := gzip.NewReader(bytes.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	cpio, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	out := readCPIO(t, cpio)
	n := len(out)
	users, groups, names := rpmStrings(tags[rpmUsers], n), rpmStrings(tags[rpmGroups], n), rpmStrings(tags[rpmBaseNames], n)
	for i, name := range names {
		dirs := rpmStrings(tags[rpmDirNames], int(binary.BigEndian.Uint32(tags[rpmDirIndexes][4*i:]))+1)
		full := path.Join(dirs[len(dirs)-1], name)
		e, ok := out[full]
		if !ok {
			t.Fatalf("%s is in the header alone", full)
		}
		mode, flags := binary.BigEndian.Uint16(tags[rpmModes][2*i:]), binary.BigEndian.Uint32(tags[rpmFlags][4*i:])
		e.mode = fs.FileMode(mode & 0o777)
		if mode&0o170000 == 0o040000 {
			e.mode |= fs.ModeDir
		}
		e.config = flags&rpmConfig != 0 && flags&rpmNoReplace != 0
		e.owner = users[i] + ":" + groups[i]
		out[full] = e
	}
	return out
}

// readCPIO reads the names and contents of an archive in the format "newc".
func readCPIO(t *testing.T, raw []byte) contents {
	t.Helper()
	out := contents{}
	align := func(n int) int { return (n + 3) &^ 3 }
	for at := 0; ; {
		number := func(field int) int {
			n, err := strconv.ParseUint(string(raw[at+6+8*field:][:8]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		size, length := number(6), number(11)
		name := string(raw[at+110:][:length-1])
		if name == "TRAILER!!!" {
			return out
		}
		begin := align(at + 110 + length)
		out[path.Join("/", name)] = entry{content: raw[begin:][:size]}
		at = align(begin + size)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
