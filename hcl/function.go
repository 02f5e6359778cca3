package hcl

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxFunctionName bounds the name of a function, which discovery takes as it finds it.
const maxFunctionName = 256

// name reads the name of a top-level block from its labels. A function has two: an upstream, and any name.
func (p *parser) name(top *topEntry, b *hclsyntax.Block) (gateway.ID, bool) {
	first := b.Labels[0]
	if !blockName.MatchString(first) {
		what := b.Type
		if top.kind == gateway.KindFunction {
			what = "upstream"
		}
		p.diag(b.LabelRanges[0].Ptr(), "Invalid name", fmt.Sprintf(
			"%q cannot name %s %s. A name begins with a lower-case letter and goes on with lower-case letters, digits, _ and -.", first, article(what), what))
		return gateway.ID{}, false
	}
	if top.kind != gateway.KindFunction {
		return gateway.ID{Kind: top.kind, Name: first}, true
	}
	name := b.Labels[1]
	id := gateway.FunctionID(first, name)
	why := ""
	switch {
	case name == "":
		why = "is empty"
	case len(name) > maxFunctionName:
		why = fmt.Sprintf("has %d bytes; %d are allowed", len(name), maxFunctionName)
	case strings.ContainsFunc(name, unicode.IsControl):
		why = "holds a control character"
	case id.Written() != id:
		why = "ends as an instance of a repeated block does"
	}
	if why != "" {
		p.diag(b.LabelRanges[1].Ptr(), "Invalid name", fmt.Sprintf("The name of the function %s.", why))
		return gateway.ID{}, false
	}
	return id, true
}

// labelsOf are the labels of an instance of a block.
func labelsOf(w *written, instance string) []string {
	if up, name, ok := gateway.SplitFunction(gateway.ID{Kind: w.id.Kind, Name: instance}); ok {
		return []string{up, name}
	}
	return []string{instance}
}

// functionRef reads function.UPSTREAM.NAME; each of the two may be an instance: function.svc["eu"].get, function.shop.op["k"].
func functionRef(names []string, t hclv2.Traversal) (gateway.Ref, bool) {
	indexed := func(i int) bool {
		_, is := t[i+1].(hclv2.TraverseIndex)
		return is
	}
	if len(names) < 2 || len(names) > 4 || indexed(0) || !blockName.MatchString(names[0]) {
		return gateway.Ref{}, false
	}
	up, rest := names[0], 1
	if len(names) > 2 && indexed(1) {
		up, rest = instanceName(names[0], names[1]), 2
	}
	name := names[rest]
	switch left := len(names) - rest; {
	case left == 2 && indexed(rest+1):
		name = instanceName(name, names[rest+1])
	case left != 1:
		return gateway.Ref{}, false
	}
	return gateway.Ref{ID: gateway.FunctionID(up, name)}, true
}

func (d *decoder) checkFunction(f *gateway.FunctionBlock, at ranges) {
	d.addRef(gateway.Ref{ID: gateway.ID{Kind: gateway.KindUpstream, Name: f.Upstream}, Range: at[""]})
	bad := func(attr, format string, args ...any) {
		d.error(at.of(attr), "Invalid function", fmt.Sprintf(format, args...))
	}
	if !f.Declares() {
		said := len(d.diags)
		for _, attr := range []string{"query", "headers", "body", "content_type"} {
			if _, written := at[attr]; written {
				bad(attr, "%q belongs to a function that the block declares: give it a path, too. Without, the block lays features on a function that is discovered.", attr)
			}
		}
		if len(d.diags) == said && len(f.Features) == 0 && f.Event == "" && f.Async == nil && f.Stream == "" {
			bad("", "The block says nothing. It declares a function by method and path, or lays features on one that is discovered.")
		}
		return
	}
	for _, attr := range []string{"event", "async", "stream"} {
		if _, written := at[attr]; written {
			bad(attr, "%q is for functions that are discovered, not for one with a path.", attr)
		}
	}
	if f.Path == "" {
		bad("method", "A function that is declared has a path as well.")
		return
	}
	if _, err := gateway.ParsePathTemplate(f.Path); err != nil {
		d.error(at.of("path"), "Invalid path", sentence(err.Error()))
	}
	d.plainPath(f.Path, at.of("path"))
	if _, written := at["method"]; written && !methodName.MatchString(f.Method) {
		d.error(at.of("method"), "Invalid method", fmt.Sprintf("%q is no method: those are upper-case words such as GET.", f.Method))
	}
	if method := f.Method; !f.Body.IsZero() && slices.Contains([]string{"", "GET", "HEAD", "OPTIONS"}, method) {
		bad("body", "A request without a method of its own is a GET, and GET, HEAD and OPTIONS carry no body. Set method, such as \"POST\".")
	}
	d.checkDeclaredParts(f, at)
}

func (d *decoder) checkDeclaredParts(f *gateway.FunctionBlock, at ranges) {
	for _, name := range sortedKeys(f.Headers) {
		if !headerName.MatchString(name) {
			d.error(f.Headers[name].Range, "Invalid header", fmt.Sprintf("%q is no name of a header.", name))
		}
	}
	if _, written := f.Query[""]; written {
		d.error(at.of("query"), "Invalid query", "The name of a query parameter is empty.")
	}
	if f.ContentType != "" && f.Body.IsZero() {
		d.error(at.of("content_type"), "Invalid content type", "It is the type of the body, but there is no body.")
	}
	if strings.ContainsAny(f.ContentType, "\r\n\x00") {
		d.error(at.of("content_type"), "Invalid content type", "A content type is one line.")
	}
}

// checkCall looks at what a destination says of the call of a function; whether the arguments fit is seen where the
// function is known.
func (d *decoder) checkCall(to *gateway.Destination, at ranges) {
	bad := func(attr, format string, args ...any) {
		d.error(at.of(attr), "Invalid destination", fmt.Sprintf(format, args...))
	}
	if to.Function.IsZero() {
		if to.Args != nil {
			bad("args", "Arguments are for a function; an upstream gets the request as it is.")
		}
		for _, attr := range []string{"event", "async", "stream"} {
			if _, written := at[attr]; written {
				bad(attr, "%q is for a function; an upstream gets the request as it is.", attr)
			}
		}
		return
	}
	if to.Path != "" {
		bad("path", "A function has a path of its own, which args fill in. Call the upstream, or declare a function with this path.")
	}
	if to.PrefixRewrite != nil {
		bad("prefix_rewrite", "A function has a path of its own, which args fill in.")
	}
	if to.Args != nil && to.Event != "" && to.Event != "raw" {
		bad("event", "With args, the event is an object of them; %q would wrap the request. Remove one of the two.", to.Event)
	}
}

// checkFinders looks at the blocks that find functions.
func (d *decoder) checkFinders(u *gateway.Upstream) {
	if u.Lambda == nil {
		return
	}
	bad := func(rng hclv2.Range, what string) {
		d.error(rng, "Invalid upstream", fmt.Sprintf(
			"The upstream %q is made of Lambdas, which have no endpoints: %s cannot stand beside the lambda block. Make it an upstream of its own.", u.Name, what))
	}
	for _, s := range u.Sources {
		bad(s.Range, article(s.Kind)+" "+s.Kind+" block")
	}
	if u.OpenAPI != nil {
		bad(u.OpenAPI.Range, "an openapi block")
	}
	if u.GRPC != nil {
		bad(u.GRPC.Range, "a grpc block")
	}
}

func (d *decoder) checkOpenAPI(o *gateway.OpenAPI, at ranges) {
	d.exclusive(at.of("file"), "Invalid openapi block", "The block", true, map[string]bool{"path": o.Path != "", "file": o.File != ""}, "path", "file")
	if _, written := at["path"]; written {
		switch {
		case !strings.HasPrefix(o.Path, "/"):
			d.error(at.of("path"), "Invalid path", fmt.Sprintf("The path %q does not begin with a slash. It is asked of the upstream's own endpoints.", o.Path))
		case strings.ContainsFunc(o.Path, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }):
			d.error(at.of("path"), "Invalid path", fmt.Sprintf("The path %q holds what no path has.", o.Path))
		}
	}
	if _, written := at["file"]; written {
		d.inFilesOnly("An OpenAPI document", at.of("file"))
		if o.File == "" {
			d.error(at.of("file"), "Invalid openapi block", "The name of the file is empty.")
		}
	}
	for _, name := range sortedKeys(o.Headers) {
		switch { // what a value is, nobody is told: it may be a password
		case !headerName.MatchString(name):
			d.error(at.of("headers"), "Invalid header", fmt.Sprintf("%q is no name of a header.", name))
		case strings.ContainsAny(o.Headers[name], "\r\n\x00"):
			d.error(at.of("headers"), "Invalid header", fmt.Sprintf("The value of the header %q has a line break, or a zero byte, in it.", name))
		}
	}
}

// inFilesOnly refuses what reads the control plane's own machine, where the document is not from there.
func (d *decoder) inFilesOnly(what string, at hclv2.Range) {
	if !d.w.origin.File {
		d.error(at, "Not in the key-value store", what+" is read from the control plane's own machine, which documents in files alone may do: who writes to the key-value store need not see that machine.")
	}
}

func (d *decoder) checkGRPC(g *gateway.GRPC, at ranges) {
	if g.Reflection != nil && !*g.Reflection && g.Services != nil {
		d.error(at.of("services"), "Invalid grpc block", "With reflection = false nothing is asked, so no services are found.")
	}
	for i, name := range g.Services {
		if !grpcService.MatchString(name) {
			d.error(at.of("services"), "Invalid grpc block", fmt.Sprintf("%q is no full name of a service, such as \"users.v1.UserService\".", name))
		}
		if slices.Contains(g.Services[:i], name) {
			d.error(at.of("services"), "Invalid grpc block", fmt.Sprintf("%q stands twice.", name))
		}
	}
}

var (
	grpcService = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	awsRegion   = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
)

func (d *decoder) checkLambda(l *gateway.Lambda, at ranges) {
	if l.Credentials.IsZero() {
		d.error(at.of("credentials"), "Missing required argument", `The argument "credentials" is required: the secret that signs the calls, such as secret.aws.`)
	}
	if !awsRegion.MatchString(l.Region) {
		d.error(at.of("region"), "Invalid region", fmt.Sprintf("%q is no region of AWS, such as \"eu-central-1\".", l.Region))
	}
	if _, written := at["endpoint"]; written {
		d.checkEndpoint(l.Endpoint, at.of("endpoint"))
	}
	if _, written := at["url"]; written {
		d.checkFunctionURL(l, at)
	}
	if l.Discover != nil && !*l.Discover {
		for _, attr := range []string{"tags", "prefix", "connection"} {
			if _, written := at[attr]; written {
				d.error(at.of(attr), "Invalid lambda block", fmt.Sprintf("With discover = false no functions are listed, so %q selects nothing.", attr))
			}
		}
	}
}

// checkFunctionURL wants an address, and nothing beside it that is for many functions.
func (d *decoder) checkFunctionURL(l *gateway.Lambda, at ranges) {
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		d.error(at.of("url"), "Invalid url", fmt.Sprintf("%q is no Function URL, such as \"https://abc.lambda-url.eu-central-1.on.aws\". Paths are the routes' affair.", l.URL))
	}
	for _, attr := range []string{"endpoint", "tags", "prefix", "connection", "discover"} {
		if _, written := at[attr]; written {
			d.error(at.of(attr), "Invalid lambda block", fmt.Sprintf("With url the upstream is one function, so %q means nothing.", attr))
		}
	}
}

// checkEndpoint wants scheme, host and port of a service, and nothing else.
func (d *decoder) checkEndpoint(text string, at hclv2.Range) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		d.error(at, "Invalid endpoint", fmt.Sprintf("%q is no endpoint, such as \"https://lambda.internal.example.com:443\".", text))
	}
}
