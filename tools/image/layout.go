package main

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeLayout writes an index as an OCI layout in a tarball, whole or not at all.
func writeLayout(out string, index v1.ImageIndex, version string, made time.Time) error {
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return fmt.Errorf("make a folder for the layout: %w", err)
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})
	if err := path.AppendIndex(index, name); err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(out), ".image-")
	if err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := archive(f, dir, made); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	return nil
}

// archive writes the files of a folder in the order of their names.
func archive(f *os.File, dir string, made time.Time) error {
	w := tar.NewWriter(f)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, ModTime: made, Typeflag: tar.TypeReg}
		var content []byte
		if d.IsDir() {
			h.Name, h.Mode, h.Typeflag = h.Name+"/", 0o755, tar.TypeDir
		} else if content, err = os.ReadFile(path); err != nil {
			return err
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
