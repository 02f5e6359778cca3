// Package featuretest is the test that every feature passes. A feature's own test calls Run, which proves:
//
//   - golden.go: every testdata/*.txtar, documents and the resources they become;
//   - readme.go: README.md has its sections, and each of its HCL blocks is translated and loaded into a real Envoy;
//   - errors.go: every testdata/error/*.hcl gives exactly the diagnostics that its comments announce.
//
// serve.go starts a real Envoy from documents, so that the test can send requests and see the feature act.
package featuretest

import (
	"flag"
	"testing"

	"github.com/sluice-gateway/sluice/xds/translate"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Run runs the shared test of a feature in its folder. Its documents may use the other features that are given, too.
func Run(t *testing.T, kind translate.Kind, others ...translate.Kind) {
	t.Helper()
	kinds := append([]translate.Kind{kind}, others...)
	t.Run("golden", func(t *testing.T) { Golden(t, "testdata", kinds) })
	t.Run("readme", func(t *testing.T) { Readme(t, "README.md", kinds) })
	t.Run("errors", func(t *testing.T) { Errors(t, "testdata/error", kinds) })
}
