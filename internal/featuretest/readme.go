package featuretest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/xds/translate"
)

// sections are the headings that every feature's README has, in this order.
var sections = []string{"Name", "Description", "Syntax", "Examples", "Errors"}

var hclBlock = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```")

// Readme checks the sections of a README, translates each of its HCL blocks and loads the result into Envoy. A block
// that has no gateway, or that names upstreams "shop" or "next" without having them, gets them.
func Readme(t *testing.T, path string, kinds []translate.Kind) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	for _, s := range sections {
		_, after, ok := strings.Cut(rest, "\n## "+s+"\n")
		if !ok {
			t.Fatalf("%s has no section %q after the ones before it", path, s)
		}
		rest = after
	}
	blocks := hclBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatalf("%s has no HCL block", path)
	}
	for i, b := range blocks {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			Load(t, Translate(t, kinds, Documents{"example.hcl": b[1], "setting.hcl": setting(b[1])}).Must(t).Resources)
		})
	}
}

// setting is what an example leaves out.
func setting(example string) string {
	out := ""
	if !strings.Contains(example, `gateway "`) {
		out += "gateway \"edge\" {\n  listener \"http\" {\n    port = 8080\n  }\n}\n"
	}
	for i, name := range []string{"shop", "next"} {
		if strings.Contains(example, "upstream."+name) && !strings.Contains(example, `upstream "`+name+`"`) {
			out += fmt.Sprintf("upstream %q {\n  static {\n    endpoints = [\"10.0.0.%d:8080\"]\n  }\n}\n", name, i+1)
		}
	}
	return out
}
