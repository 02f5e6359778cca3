package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/dns"
	"github.com/sluice-gateway/sluice/discovery/docker"
	discoveryec2 "github.com/sluice-gateway/sluice/discovery/ec2"
	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/discovery/static"
	"github.com/sluice-gateway/sluice/discovery/vsphere"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/nomad"
)

// odd are things as platforms may name them: some of what is in them is meant to break a document.
func odd() []seen {
	found := func(kind, name, note string, count int, spec gateway.SourceSpec) seen {
		return seen{kind, discovery.Found{Name: name, Spec: spec, Count: count, Note: note}}
	}
	return []seen{
		found("consul", "shop", "datacenter dc1, tags primary", 3, &catalog.ServiceSpec{Service: "shop"}),
		found("consul", "Shop.Web", "", 1, &catalog.ServiceSpec{Service: "Shop.Web", Tags: []string{"v1", `a"b`}, PassingOnly: true, Connection: "east"}),
		found("nomad", "shop", "namespace default", 2, &nomad.Spec{Service: "shop"}),
		found("nomad", "shop", "namespace team\n}\nroute \"x\" {", 2, &nomad.Spec{Service: "shop", Namespace: "team", Checks: true}),
		found("nomad", "${env(1)}", "tags %{if}", 0, &nomad.Spec{Service: "${env(1)}", Tags: []string{"%{ if x }"}}),
		found("ec2", "web-*", "in eu-central-1a", 12, &discoveryec2.Spec{
			Region: "eu-central-1", Tags: map[string]string{"Name": "web-*", "app:role": "front"}, Port: 80, Address: "private", Interval: 30 * time.Second,
		}),
		found("ec2", "Ünïcode \u2028 name", "", 1, &discoveryec2.Spec{
			Region: "eu-central-1", Filters: map[string][]string{"vpc-id": {"vpc-1", "vpc-2"}}, PortTag: "port", Address: "public", Interval: 90 * time.Second, StatusChecks: true,
		}),
		found("vsphere", "123", "/DC0/vm/123: one, two", 2, &vsphere.Spec{Folder: "/DC0/vm/123", Port: 80}),
		found("vsphere", "///", "", 1, &vsphere.Spec{
			Name: "a*", Attributes: map[string]string{"owner": "x\ty"}, Port: 8080,
			Credentials: gateway.Ref{ID: gateway.ID{Kind: "secret", Name: "vcenter"}},
		}),
		found("static", "written", "", 2, &static.Spec{Endpoints: []string{"10.0.0.1:80"}, Entries: []*static.Endpoint{
			{At: "10.0.0.2:80", Weight: 1, Zone: "a"}, {At: "10.0.0.3:80", Weight: 7, Tags: []string{"v2"}},
		}}),
		found("kubernetes", "shop", "namespace default", 2, &kubernetes.Spec{Service: "shop", Namespace: "default", Port: "http"}),
		found("docker", "compose/web", "", 1, &docker.Spec{Labels: map[string]string{"com.docker.compose.service": "web"}, Port: 80, Published: true}),
		found("dns", "name", "", 1, &dns.Spec{Name: "shop.example.com", Port: 80, Interval: time.Hour}),
	}
}

// What is printed of any source is a document: golden, and formatted and valid by the command's own judgement.
func TestDiscoveredUpstreamsAreADocument(t *testing.T) {
	const golden = "testdata/discover/odd.hcl"
	var out bytes.Buffer
	a := &app{out: &out, errs: &bytes.Buffer{}, env: func(string) string { return "" }}
	if err := a.printDiscovered(proposed(odd(), gateway.New(&gateway.Rules{})), false, true); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("run go test ./cmd/sluice -update (-want +got):\n%s", diff)
	}
	if text, code := told(t, "", "fmt", "-check", "-diff", golden); code != codeFine {
		t.Errorf("not formatted: %s", text)
	}
	with := filepath.Join(t.TempDir(), "odd.hcl")
	more := out.String() + "\nsecret \"vcenter\" {\n  env { name = \"VCENTER\" }\n}\n"
	if err := os.WriteFile(with, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, code := told(t, "", "validate", with); code != codeFine {
		t.Errorf("not valid: %s", text)
	}
}

func FuzzDiscoveredUpstream(f *testing.F) {
	f.Add("shop", "a note", "tag")
	f.Add("\n}", "\r\n}", "${x}")
	f.Fuzz(func(t *testing.T, name, note, tag string) {
		if name == "" || tag == "" || strings.Contains(name, "/") {
			return
		}
		found := []seen{{"nomad", discovery.Found{Name: name, Note: note, Spec: &nomad.Spec{Service: name, Tags: []string{tag}}}}}
		list := proposed(found, gateway.New(&gateway.Rules{}))
		ws := workspaceOf([]file{{"x.hcl", []byte(list[0].HCL)}}, gateway.New(&gateway.Rules{}), schema(), func(string) (string, bool) { return "", false })
		u := ws.world.Upstreams()
		if len(u) != 1 || len(u[0].Sources) != 1 {
			t.Fatalf("not one upstream: %s\n%v", list[0].HCL, ws.diagnostics())
		}
	})
}

// told runs one command line with a standard input.
func told(t *testing.T, in string, args ...string) (text string, code int) {
	t.Helper()
	var out bytes.Buffer
	code = execute(args, strings.NewReader(in), &out, &out)
	return out.String(), code
}

// estate is one of each platform, all with a service "shop" and some with others.
type estate struct {
	consul *testenv.Consul
	nomad  *testenv.Nomad
	vc     *testenv.VCenter
	dir    string // with agent.hcl and docs
}

func startEstate(t *testing.T) *estate {
	t.Helper()
	e := &estate{consul: testenv.StartConsul(t, testenv.ConsulOptions{}), nomad: testenv.StartNomad(t), vc: testenv.StartVCenter(t), dir: t.TempDir()}
	for _, name := range []string{"shop", "billing"} {
		e.consul.Register(&api.CatalogRegistration{Node: "n1", Address: "10.0.0.1", Service: &api.AgentService{
			ID: name, Service: name, Address: "10.0.0.1", Port: 80, Tags: []string{"v1"},
		}})
	}
	e.consul.Register(&api.CatalogRegistration{Node: "n1", Address: "10.0.0.1", SkipNodeUpdate: true, Service: &api.AgentService{
		ID: "proxy", Service: "shop-sidecar-proxy", Kind: api.ServiceKindConnectProxy, Address: "10.0.0.1", Port: 81,
		Proxy: &api.AgentServiceConnectProxyConfig{DestinationServiceName: "shop"},
	}})
	e.nomad.Register(e.nomad.Service("shop", "a", "10.0.0.2", 80), e.nomad.Service("search", "b", "10.0.0.3", 80, "v2"))
	e.vc.AddVM(t, "/DC0/vm/shop", "shop-1", "10.0.0.4")
	sim := testenv.StartAWS(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": sim.Endpoint, "AWS_ACCESS_KEY_ID": sim.Root.ID, "AWS_SECRET_ACCESS_KEY": sim.Root.Secret, "AWS_EC2_METADATA_DISABLED": "true",
		"CONSUL_HTTP_ADDR": "", "NOMAD_ADDR": "", "GOVC_URL": "", "KUBECONFIG": "", "KUBERNETES_SERVICE_HOST": "", "DOCKER_HOST": "",
	} {
		t.Setenv(name, value)
	}
	_, err := ec2.NewFromConfig(sim.Config(sim.Root)).RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String("ami-1"), MinCount: aws.Int32(2), MaxCount: aws.Int32(2), TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("service"), Value: aws.String("shop")}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.write(t, "agent.hcl", fmt.Sprintf(`
config { path = %q }
consul "main" { address = %q }
nomad "main" { address = %q }
aws "main" { region = %q }
vsphere "main" {
  address  = %q
  username = %q
  password = %q
  ca_file  = %q
}
`, filepath.Join(e.dir, "docs"), e.consul.Addr, e.nomad.Addr, sim.Region, e.vc.Address, e.vc.Username, e.vc.Password, e.vc.CAFile))
	e.write(t, "docs/shop.hcl", "upstream \"shop\" {\n  consul {\n    service = \"shop\"\n    tags    = [\"v1\"]\n  }\n}\n")
	return e
}

func (e *estate) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// look runs discover and says which upstreams it printed, what it wrote to its errors, and its exit code.
func (e *estate) look(t *testing.T, args ...string) (names, errs, text string, code int) {
	t.Helper()
	var out, bad bytes.Buffer
	all := append([]string{"discover", "-config", filepath.Join(e.dir, "agent.hcl")}, args...)
	code = execute(append(all, "-json"), strings.NewReader(""), &out, &bad)
	var list []discovered
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), bad.String())
	}
	var all2 []string
	for _, d := range list {
		all2 = append(all2, d.Source+"/"+d.Name)
		text += d.HCL
	}
	return strings.Join(all2, " "), bad.String(), text, code
}

func TestDiscoverListsWhatNoDocumentUses(t *testing.T) {
	e := startEstate(t)
	names, errs, text, code := e.look(t)
	if want := "consul/billing nomad/search nomad/shop-nomad ec2/shop-ec2 vsphere/shop-vsphere"; names != want || code != codeFine {
		t.Fatalf("exit code %d: %s, want %s\n%s", code, names, want, errs)
	}
	for _, want := range []string{"# consul: 1 endpoint; datacenter dc1, tags v1\n", "# ec2: 2 endpoints; in ", `folder = "/DC0/vm/shop"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if names, _, _, _ := e.look(t, "nomad"); names != "nomad/search nomad/shop-nomad" {
		t.Errorf("nomad alone: %s", names)
	}

	// What is printed is what it says: once it is a document, nothing is left.
	e.write(t, "docs/found.hcl", text)
	if names, errs, _, code = e.look(t); names != "" || code != codeFine {
		t.Errorf("exit code %d: %s is left\n%s", code, names, errs)
	}
	if out, code := told(t, "", "discover", "-config", filepath.Join(e.dir, "agent.hcl")); code != codeFine || !strings.Contains(out, "in a document already") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if err := os.Remove(filepath.Join(e.dir, "docs/found.hcl")); err != nil {
		t.Fatal(err)
	}

	// A platform that does not answer is named, and the others are printed.
	e.nomad.Break(testenv.NomadFault{Status: 500})
	e.vc.SetPassword("another")
	names, errs, _, code = e.look(t)
	if names != "consul/billing ec2/shop-ec2" || code != codeWorld || !strings.Contains(errs, "nomad") || !strings.Contains(errs, "vsphere") || strings.Contains(errs, e.vc.Password) {
		t.Errorf("exit code %d: %s\n%s", code, names, errs)
	}
}

func TestDiscoverWithoutAnythingToAsk(t *testing.T) {
	for _, name := range []string{"CONSUL_HTTP_ADDR", "NOMAD_ADDR", "NOMAD_UNIX_ADDR", "GOVC_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "DOCKER_HOST"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	for _, k := range (platforms{}).kinds() {
		if _, known := (platforms{}).connections()[k.Name]; k.Discover != nil && !known {
			t.Errorf("discover does not know who is asked for %s", k.Name)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"discover"}, codeDocuments, "nothing to ask is configured"},
		{[]string{"discover", "ec2"}, codeDocuments, `add a block aws "NAME"`},
		{[]string{"discover", "cloud"}, codeUsage, "there are consul, nomad, ec2, vsphere, kubernetes, docker"},
		{[]string{"discover", "a", "b"}, codeUsage, "sluice discover [SOURCE]"},
	} {
		if out, code := told(t, "", c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, out)
		}
	}
}

// A kind that hangs or fails keeps nobody else from being printed, and keys decide where a kind says nothing else.
func TestLookAroundKeepsWhatThereIs(t *testing.T) {
	here := discovery.Found{Name: "here", Spec: &nomad.Spec{Service: "here"}}
	kinds := []discovery.Kind{
		{Name: "consul", Discover: func(context.Context) ([]discovery.Found, error) { return nil, errors.New("refused") }},
		{Name: "nomad", Discover: func(context.Context) ([]discovery.Found, error) {
			return []discovery.Found{here, {Name: "used", Spec: &nomad.Spec{Service: "used"}}}, errors.New("nomad east: half of it")
		}},
	}
	found, problems := lookAround(t.Context(), kinds, map[string][]gateway.SourceSpec{"nomad": {&nomad.Spec{Service: "used"}}})
	if len(found) != 1 || found[0].Name != "here" {
		t.Errorf("%+v", found)
	}
	if got := fmt.Sprint(problems); got != "[consul: refused nomad east: half of it]" {
		t.Errorf("%s", got)
	}
}
