package gateway

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// fakeBlock is a written block of a small test language: "key=value;key=value". A value "local.x" or "kv.x" is read
// through the scope.
type fakeBlock struct {
	id   ID
	doc  string
	pos  int
	text string
}

func (b fakeBlock) ID() ID           { return b.id }
func (b fakeBlock) Document() string { return b.doc }
func (b fakeBlock) Text() string     { return b.text }

// Defaults is what "default=…" says for every value that the block reads itself.
func (b fakeBlock) Defaults() map[ID]string {
	out := map[ID]string{}
	f := b.fields()
	for _, v := range f {
		if strings.HasPrefix(v, "kv.") && f["default"] != "" {
			out[ID{KindValue, v[3:]}] = f["default"]
		}
	}
	return out
}

func (b fakeBlock) Range() hcl.Range {
	return hcl.Range{Filename: b.doc, Start: hcl.Pos{Line: b.pos + 1, Byte: b.pos}, End: hcl.Pos{Line: b.pos + 1, Byte: b.pos + 1}}
}

func (b fakeBlock) errorf(format string, args ...any) hcl.Diagnostics {
	at := b.Range()
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Fake error", Detail: fmt.Sprintf(format, args...), Subject: &at}}
}

func (b fakeBlock) ref(kind, name string) Ref {
	return Ref{ID: ID{kind, name}, Range: b.Range()}
}

func (b fakeBlock) fields() map[string]string {
	out := map[string]string{}
	for _, kv := range strings.Split(b.text, ";") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			out[k] = v
		}
	}
	return out
}

// read resolves a value that names a local or a kv leaf.
func (b fakeBlock) read(scope Scope, v string) (string, hcl.Diagnostics) {
	switch {
	case strings.HasPrefix(v, "local."):
		got, ok := scope.Get(ID{KindLocal, v[6:]})
		if !ok {
			return "", b.errorf("no %s", v)
		}
		return got.(string), nil
	case strings.HasPrefix(v, "kv."):
		got, ok := scope.Get(ID{KindValue, v[3:]})
		if !ok {
			return "10", nil
		}
		return got.(string), nil
	}
	return v, nil
}

func (b fakeBlock) Eval(scope Scope) (Value, hcl.Diagnostics) {
	f := b.fields()
	out := Value{Instances: map[string]any{}}
	if f["bad"] != "" {
		return out, b.errorf("bad")
	}
	if b.id.Kind != KindLocal && b.id.Kind != KindSecret {
		out.Refs = b.secrets(f["feature"])
	}
	switch b.id.Kind {
	case KindLocal:
		v, diags := b.read(scope, f["v"])
		out.Instances[b.id.Name] = v
		return out, diags
	case KindGateway:
		g := &Gateway{Name: b.id.Name, Default: f["default"], Attach: f["attach"] != "", Range: b.Range()}
		for _, l := range strings.Split(f["listeners"], ",") {
			g.Listeners = append(g.Listeners, &Listener{Name: l, Port: 80, Scope: f["scope"]})
		}
		g.Variants = b.variants(f["variant"])
		g.Features = b.features(f["feature"])
		out.Instances[b.id.Name] = g
	case KindUpstream:
		if f["each"] == "" {
			u := b.upstream(b.id.Name, f["src"])
			out.Instances[b.id.Name] = u
			if f["lambda"] != "" {
				secret := b.ref(KindSecret, f["lambda"])
				u.Sources, u.Lambda = nil, &Lambda{Region: "r", Credentials: secret}
				if f["discover"] != "" {
					u.Lambda.Discover = new(bool)
				}
				out.Refs = append(out.Refs, secret)
			}
			if f["openapi"] != "" {
				u.OpenAPI = &OpenAPI{Path: f["openapi"]}
			}
			return out, nil
		}
		for _, key := range strings.Split(f["each"], ",") {
			name := fmt.Sprintf("%s[%q]", b.id.Name, key)
			out.Instances[name] = b.upstream(name, f["src"])
		}
	case KindPolicy:
		p := &Policy{Name: b.id.Name, Range: b.Range()}
		p.Variants = b.variants(f["variant"])
		p.Features = b.features(f["feature"])
		out.Instances[b.id.Name] = p
	case KindTeam:
		out.Instances[b.id.Name] = b.team(f)
	case KindSecret:
		out.Instances[b.id.Name] = &Secret{Name: b.id.Name, Range: b.Range()}
	case KindFunction:
		up, name, _ := SplitFunction(b.id)
		out.Instances[b.id.Name] = &FunctionBlock{Upstream: up, Name: name, Path: f["path"], Features: b.features(f["feature"]), Range: b.Range()}
		out.Refs = append(out.Refs, b.ref(KindUpstream, up))
	case KindRoute:
		return b.route(scope, f, out)
	}
	return out, nil
}

// team lists patterns with commas between, and claims as "HOST/PREFIX".
func (b fakeBlock) team(f map[string]string) *Team {
	list := func(key string) []string {
		return strings.FieldsFunc(f[key], func(r rune) bool { return r == ',' })
	}
	t := &Team{
		Name: b.id.Name, Documents: list("docs"), Upstreams: list("up"), Functions: list("fn"), Secrets: list("secret"),
		Values: list("kv"), Policies: list("policy"), Gateways: list("gw"), Define: list("define"), Range: b.Range(),
	}
	for _, c := range list("claim") {
		host, prefix, _ := strings.Cut(c, "/")
		t.Claims = append(t.Claims, &Claim{Host: host, Prefix: "/" + prefix})
	}
	return t
}

// secrets are those that a feature names.
func (b fakeBlock) secrets(feature string) (refs []Ref) {
	for _, use := range (&fakeFeature{typ: feature}).SecretUses() {
		refs = append(refs, b.ref(KindSecret, use.ID.Name))
	}
	return refs
}

// variants is one for requests with the header x, to the endpoints with a tag.
func (b fakeBlock) variants(tag string) []*Variant {
	if tag == "" {
		return nil
	}
	return []*Variant{{Name: "beta", Subset: &Subset{Tag: tag}, Matches: []*Match{{Headers: []*ValueMatch{{Name: "x", Present: true}}}}}}
}

// features is one of a type, or none. "reads-NAME" reads a variable of the path, and "off" turns
// off what does.
func (b fakeBlock) features(kind string) []Feature {
	if kind == "" {
		return nil
	}
	f := &fakeFeature{FeatureBase: FeatureBase{Range: b.Range()}, typ: kind, name: "f"}
	if variable, reads := strings.CutPrefix(kind, "reads-"); reads {
		f.typ = "reads"
		f.Reads = map[string]Expr{"x": {Op: OpTemplate, Args: []Expr{{Op: OpRequest, Path: []string{"path", variable}, Range: b.Range()}}, Range: b.Range()}}
	}
	if kind == "off" {
		on := false
		f.typ, f.Enabled = "reads", &on
	}
	return []Feature{f}
}

// upstream lists its sources as "SOURCE" or "SOURCE/PRIORITY" or "SOURCE/PRIORITY/WEIGHT", with commas between.
func (b fakeBlock) upstream(name, sources string) *Upstream {
	u := &Upstream{Name: name, Range: b.Range()}
	for _, s := range strings.Split(sources, ",") {
		part := strings.Split(s, "/")
		src := &Source{Kind: "fake", Spec: fakeSpec(part[0])}
		if len(part) > 1 {
			src.Priority, _ = strconv.Atoi(part[1])
		}
		if len(part) > 2 {
			weight, _ := strconv.Atoi(part[2])
			src.Weight = &weight
		}
		u.Sources = append(u.Sources, src)
	}
	return u
}

func (b fakeBlock) route(scope Scope, f map[string]string, out Value) (Value, hcl.Diagnostics) {
	r := &Route{Name: b.id.Name, Hosts: []string{f["host"]}, Range: b.Range(), Matches: []*Match{{Prefix: f["path"], Range: b.Range()}}}
	if f["host"] == "any" {
		r.Hosts = []string{"*"}
	}
	raw, diags := b.read(scope, f["weight"])
	if diags.HasErrors() {
		return out, diags
	}
	weight, err := strconv.Atoi(raw)
	if err != nil || weight > 100 {
		return out, b.errorf("weight %q", raw)
	}
	if also, diags := b.read(scope, f["also"]); diags.HasErrors() {
		return out, diags
	} else if n, err := strconv.Atoi(also); err == nil && n > 100 {
		return out, b.errorf("also %q", also)
	}
	up := b.ref(KindUpstream, f["up"])
	r.To = []*Destination{{Upstream: up, Weight: &weight, Path: f["topath"], Range: b.Range()}}
	if f["fn"] == "" {
		out.Refs = append(out.Refs, up)
	} else {
		fn := b.ref(KindFunction, f["fn"])
		r.To = []*Destination{{Function: fn, Weight: &weight, Range: b.Range(), Args: b.args(f["args"])}}
		out.Refs = append(out.Refs, fn)
	}
	if f["match"] != "" {
		fn := b.ref(KindFunction, f["match"])
		r.Matches[0] = &Match{Function: fn, Range: b.Range()}
		out.Refs = append(out.Refs, fn)
	}
	if f["header"] != "" {
		r.Matches[0].Headers = []*ValueMatch{{Name: f["header"], Present: true}}
	}
	r.Variants = b.variants(f["variant"])
	r.Features, r.To[0].Features = b.features(f["feature"]), b.features(f["tofeature"])
	if f["tag"] != "" {
		r.To[0].Subset = &Subset{Tag: f["tag"]}
	}
	if f["gw"] != "" {
		gw, listener, _ := strings.Cut(f["gw"], ".")
		ref := b.ref(KindGateway, gw)
		ref.Part = listener
		r.Gateways = []Ref{ref}
		out.Refs = append(out.Refs, ref)
	}
	if f["policy"] != "" {
		r.Policies = []Ref{b.ref(KindPolicy, f["policy"])}
		out.Refs = append(out.Refs, r.Policies[0])
	}
	out.Instances[b.id.Name] = r
	return out, nil
}

// args are "NAME:TEXT,NAME:TEXT".
func (b fakeBlock) args(text string) map[string]Expr {
	var out map[string]Expr
	for _, kv := range strings.Split(text, ",") {
		if k, v, ok := strings.Cut(kv, ":"); ok {
			if out == nil {
				out = map[string]Expr{}
			}
			out[k] = Expr{Op: OpConst, Value: v, Range: b.Range()}
		}
	}
	return out
}

type fakeSpec string

func (s fakeSpec) SourceKey() SourceKey { return SourceKey{"fake", string(s)} }

// Mesh is that of "mesh-SERVICE" and "mesh-SERVICE@CONNECTION".
func (s fakeSpec) Mesh() *Mesh {
	name, ok := strings.CutPrefix(string(s), "mesh-")
	if !ok {
		return nil
	}
	service, connection, _ := strings.Cut(name, "@")
	return &Mesh{Connection: connection, Service: MeshService{Service: service}}
}

// Further are the words after the first of "a+b+c".
func (s fakeSpec) Further() (out []SourceSpec) {
	for _, more := range strings.Split(string(s), "+")[1:] {
		out = append(out, fakeSpec(more))
	}
	return out
}

// fakeDoc makes a document of "kind.name key=value;…" lines.
func fakeDoc(name string, index uint64, lines ...string) *Document {
	d := &Document{Name: name, Index: index}
	for i, line := range lines {
		head, text, _ := strings.Cut(line, " ")
		kind, n, _ := strings.Cut(head, ".")
		d.Blocks = append(d.Blocks, fakeBlock{id: ID{kind, n}, doc: name, pos: i * 100, text: text})
	}
	return d
}
