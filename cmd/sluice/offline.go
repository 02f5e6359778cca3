package main

import (
	"os"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// offline is a world of documents on disk, without any server.
type offline struct {
	*workspace
	translator *translate.Translator
	documents  int
}

// offline reads the documents at paths, beside what a world file has; an empty name is none.
func (a *app) offline(paths []string, worldFile string) (*offline, error) {
	files, err := readPaths(paths)
	if err != nil {
		return nil, err
	}
	t, err := translator()
	if err != nil {
		return nil, err
	}
	s := schema()
	base := gateway.New(rules(t))
	if worldFile != "" {
		if base, err = readWorld(worldFile, base, s, files); err != nil {
			return nil, err
		}
	}
	return &offline{workspace: workspaceOf(files, base, s, os.LookupEnv), translator: t, documents: len(files)}, nil
}
