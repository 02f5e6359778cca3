package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery/openapi"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// offline is a world of documents on disk, without any server.
type offline struct {
	*workspace
	translator *translate.Translator
	documents  int
}

// offline reads the documents at paths, beside what a world file has; an empty name is none. Lambdas that only AWS can
// list are taken for there.
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
	base := gateway.New(rules(t, paths))
	if worldFile != "" {
		if base, err = readWorld(worldFile, base, s, replacedBy(paths, files)); err != nil {
			return nil, err
		}
	}
	ws := workspaceOf(files, base, s, os.LookupEnv)
	ws.find(folderOf(paths), true)
	return &offline{workspace: ws, translator: t, documents: len(files)}, nil
}

// mistakes are the errors in the documents.
func (o *offline) mistakes() (out hclv2.Diagnostics) {
	for _, d := range o.diagnostics() {
		if d.Severity == hclv2.DiagError {
			out = append(out, d)
		}
	}
	return out
}

// folderOf is the folder of the first path, which is what documents' files are relative to.
func folderOf(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	if isHCL(paths[0]) {
		return filepath.Dir(paths[0])
	}
	return paths[0]
}

// maxOpenAPI bounds an OpenAPI document on disk.
const maxOpenAPI = 64 << 20

// find gives the world the functions of OpenAPI documents that lie on disk. With assume, the Lambdas that blocks name
// are taken for there where nothing is known of their upstream's.
func (ws *workspace) find(folder string, assume bool) {
	found := map[gateway.FinderKey][]*gateway.Function{}
	known := ws.world.Found()
	for k, f := range ws.world.Finders() {
		if _, told := known[k]; told {
			continue
		}
		switch {
		case f.OpenAPI != nil && f.OpenAPI.File != "":
			if list, err := readOpenAPI(folder, f.OpenAPI.File); err == nil {
				found[k] = list
			}
		case f.Lambda != nil && assume:
			found[k] = namedLambdas(ws.world, k.Upstream)
		}
	}
	if len(found) > 0 {
		ws.world, _ = gateway.Apply(ws.world, gateway.Input{Functions: found})
	}
}

func readOpenAPI(folder, name string) ([]*gateway.Function, error) {
	f, err := os.OpenInRoot(folder, filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxOpenAPI))
	if err != nil {
		return nil, err
	}
	listing, err := openapi.List(text, "")
	return listing.Functions, err
}

// namedLambdas are those of an upstream that blocks name, of which nothing but the name is known.
func namedLambdas(w *gateway.World, upstream string) (out []*gateway.Function) {
	for _, s := range w.Functions() {
		up, name, _ := gateway.SplitFunction(s.ID)
		if up != upstream || s.Function != nil {
			continue
		}
		base, qualifier, _ := strings.Cut(name, ":")
		out = append(out, &gateway.Function{Name: name, Kind: gateway.FunctionLambda, Lambda: &gateway.LambdaFunction{
			ARN: "arn:aws:lambda:REGION:ACCOUNT:function:" + base, Qualifier: qualifier,
		}})
	}
	return out
}
