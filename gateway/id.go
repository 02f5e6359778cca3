package gateway

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Kinds of block, and of the leaf values that blocks read.
const (
	KindGateway  = "gateway"
	KindUpstream = "upstream"
	KindRoute    = "route"
	KindPolicy   = "policy"
	KindFunction = "function"
	KindSecret   = "secret"
	KindTeam     = "team"
	KindLocal    = "local" // one attribute of a locals block

	KindValue = "kv"   // a value below PREFIX/values/
	KindEnv   = "env"  // an environment variable, in files only
	KindFile  = "file" // the content of a file, in files only

	KindEndpoints = "endpoints" // the merged endpoints of the upstream of that name
)

// ID names one block or leaf value. It is comparable and its zero value names nothing.
//
// A function is named UPSTREAM.NAME, where UPSTREAM may be an instance, NAME["KEY"], and NAME is verbatim.
// An instance of a for_each block is named NAME["KEY"].
type ID struct{ Kind, Name string }

// String is the canonical address: "route.divide", `upstream.svc["eu"]`, "kv.canary/divide".
func (id ID) String() string { return id.Kind + "." + id.Name }

// Text is id as a document refers to it: a name that is no word of HCL stands in brackets, function.shop["GET /pets"].
func (id ID) Text() string {
	up, name, ok := SplitFunction(id)
	if !ok {
		return id.String()
	}
	_, base, _ := SplitFunction(id.Written())
	key := name[len(base):]
	if identifier.MatchString(base) {
		return id.Kind + "." + up + "." + base + key
	}
	return id.Kind + "." + up + "[" + strconv.Quote(base) + "]" + key
}

// identifier is a name that is written without quotes.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// IsZero says that id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Written is the ID of the block that was written for id: an instance of a for_each block leads to its block.
func (id ID) Written() ID {
	if id.Kind == KindFunction {
		return id.writtenFunction()
	}
	if i := strings.IndexByte(id.Name, '['); i > 0 {
		id.Name = id.Name[:i]
	}
	return id
}

// writtenFunction cuts off the key at the end of a name. A discovered name that ends as an instance does cannot be told
// from one.
func (id ID) writtenFunction() ID {
	if !strings.HasSuffix(id.Name, `"]`) {
		return id
	}
	upstream, name, ok := SplitFunction(id)
	for i := 1; ok && i < len(name); i++ {
		if !strings.HasPrefix(name[i:], `["`) {
			continue
		}
		if q, err := strconv.QuotedPrefix(name[i+1:]); err == nil && i+1+len(q)+1 == len(name) {
			return FunctionID(upstream, name[:i])
		}
	}
	return id
}

// CompareID orders IDs by kind, then name.
func CompareID(a, b ID) int {
	if c := strings.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// Ref is a reference that somebody wrote: to what, and where. Its zero value is "none written".
type Ref struct {
	ID
	Part  string    // the listener of gateway.NAME.PART; empty otherwise
	Range hcl.Range // of the reference in its document
}

// FunctionID names the function of an upstream.
func FunctionID(upstream, name string) ID {
	return ID{Kind: KindFunction, Name: upstream + "." + name}
}

// SplitFunction is the inverse of FunctionID; ok is false where id is no function.
func SplitFunction(id ID) (upstream, name string, ok bool) {
	if id.Kind != KindFunction {
		return "", "", false
	}
	i := strings.IndexAny(id.Name, ".[")
	if i < 0 || id.Name[i] == '.' {
		return strings.Cut(id.Name, ".")
	}
	q, err := strconv.QuotedPrefix(id.Name[i+1:])
	rest, closes := strings.CutPrefix(id.Name[i+1+len(q):], "].")
	if err != nil || !closes {
		return id.Name, "", false
	}
	return id.Name[:i+1+len(q)+1], rest, true
}
