package openapi

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/sluice-gateway/sluice/gateway"
)

// file is a document on disk, below a folder that it cannot leave.
type file struct {
	folder, name string
	reader       reader
	digest       [sha256.Size]byte
}

// list implements discovery.FunctionList.
func (f *file) list(ctx context.Context, first bool) ([]*gateway.Function, bool, error) {
	body, err := f.read()
	if err != nil {
		return nil, false, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	digest := sha256.Sum256(body)
	if !first && digest == f.digest {
		return nil, false, nil
	}
	functions, err := f.reader(ctx, body, "")
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", f.name, err)
	}
	f.digest = digest
	return functions, true, nil
}

func (f *file) read() ([]byte, error) {
	root, err := os.OpenRoot(f.folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(f.name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", f.name) // reading a pipe would wait for whoever writes to it
	}
	opened, err := root.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	body, err := io.ReadAll(io.LimitReader(opened, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("%s is larger than %d MiB", f.name, maxDocument>>20)
	}
	return body, nil
}
