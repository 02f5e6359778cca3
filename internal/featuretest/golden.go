package featuretest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/envoy"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// short names the types of resources in golden files.
var short = map[string]string{
	translate.ListenerType: "listener", translate.RoutesType: "routes", translate.HostType: "host",
	translate.ClusterType: "cluster", translate.AssignmentType: "assignment", translate.SecretType: "secret",
	translate.ExtensionType: "extension", translate.ScopeType: "scope",
}

// Golden translates the documents (*.hcl) of every txtar file in a folder and compares the resources with the other
// files of it, named TYPE NAME. The first line of the file's comment may say which types it shows: "show: host cluster";
// those two are the default. Every result is loaded into Envoy. -update rewrites the files.
func Golden(t *testing.T, dir string, kinds []translate.Kind) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("%s has no golden file", dir)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { golden(t, path, kinds) })
	}
}

func golden(t *testing.T, path string, kinds []translate.Kind) {
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := &txtar.Archive{Comment: a.Comment}
	docs := Documents{}
	for _, f := range a.Files {
		if strings.HasSuffix(f.Name, ".hcl") {
			docs[f.Name] = string(f.Data)
			out.Files = append(out.Files, f)
		}
	}
	result := Translate(t, kinds, docs).Must(t)
	show := shown(string(a.Comment))
	for _, r := range result.Resources {
		if show[short[r.TypeURL]] {
			name := short[r.TypeURL] + " " + r.Name
			out.Files = append(out.Files, txtar.File{Name: name, Data: JSON(t, r.Message)})
			out.Files = append(out.Files, txtar.File{Name: "needs of " + name, Data: needs(r)})
		}
	}
	got := txtar.Format(out)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the resources are not those of %s; -update rewrites it (-want +got):\n%s", path, diff)
	}
	Load(t, result.Resources)
}

func needs(r *translate.Resource) []byte {
	var b bytes.Buffer
	for _, k := range r.Needs {
		b.WriteString(short[k.TypeURL] + " " + k.Name + "\n")
	}
	return b.Bytes()
}

func shown(comment string) map[string]bool {
	line, _, _ := strings.Cut(comment, "\n")
	types, ok := strings.CutPrefix(line, "show:")
	if !ok {
		types = "host cluster"
	}
	out := map[string]bool{}
	for _, t := range strings.Fields(types) {
		out[t] = true
	}
	return out
}

// JSON writes a message with spaces that do not vary.
func JSON(t testing.TB, m proto.Message) []byte {
	t.Helper()
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// Load has a real Envoy judge the resources.
func Load(t testing.TB, resources []*translate.Resource) {
	t.Helper()
	b, err := translate.StaticBootstrap(resources)
	if err != nil {
		t.Fatal(err)
	}
	if err := envoy.Validate(t.Context(), testenv.EnvoyPath(t), JSON(t, b)); err != nil {
		t.Errorf("envoy refuses the resources: %v", err)
	}
}
