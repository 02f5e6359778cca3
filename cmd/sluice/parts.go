package main

import (
	"path/filepath"

	"github.com/sluice-gateway/sluice/discovery"
	reflection "github.com/sluice-gateway/sluice/discovery/grpc"
	"github.com/sluice-gateway/sluice/discovery/lambda"
	"github.com/sluice-gateway/sluice/discovery/openapi"
	"github.com/sluice-gateway/sluice/feature"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// finderKinds lists every kind of finder.
func finderKinds(cfg planeConfig, leftOut func(gateway.FinderKey, []string)) []discovery.FinderKind {
	return []discovery.FinderKind{
		openapi.Kind(openapi.Options{Folder: folderOf(cfg.paths), Problems: leftOut}), reflection.Kind(leftOut), lambda.Kind(cfg.lambdas),
	}
}

// schema is the language with all features and sources.
func schema() *hcl.Schema {
	var features []hcl.FeatureType
	for _, k := range feature.All() {
		features = append(features, hcl.FeatureType{FeatureRule: k.FeatureRule, New: k.New})
	}
	var sources []hcl.SourceType
	for _, k := range (platforms{}).kinds() {
		sources = append(sources, hcl.SourceType{Name: k.Name, New: k.New})
	}
	return hcl.NewSchema(features, sources)
}

// translator builds Envoy's resources with all features.
func translator() (*translate.Translator, error) { return translate.New(feature.All()) }

// rules are those of a world that nothing but its documents, at paths, feeds.
func rules(t *translate.Translator, paths []string) *gateway.Rules {
	return &gateway.Rules{Features: t.Rules(), Functions: translate.FunctionsSince, Roots: roots(paths), Offline: true}
}

// roots are the paths as documents are named below them.
func roots(paths []string) (out []string) {
	for _, p := range paths {
		out = append(out, filepath.ToSlash(filepath.Clean(p)))
	}
	return out
}
