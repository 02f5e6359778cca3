package gateway

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Upstream is a named set of endpoints, from one or more sources.
//
//sluice:block upstream "NAME"
type Upstream struct {
	Name           string        `hcl:"name,label"` // NAME["KEY"] for an instance of for_each
	ConnectTimeout time.Duration `hcl:"connect_timeout,optional" default:"5s"`
	OpenAPI        *OpenAPI      `hcl:"openapi,block"`
	GRPC           *GRPC         `hcl:"grpc,block"`
	Lambda         *Lambda       `hcl:"lambda,block"` // a function platform: no sources beside it
	Sources        []*Source     `hcl:",sources"`
	Features       []Feature     `hcl:",features"`
	Range          hcl.Range     `hcl:",def_range"`
}

// Source is one source block of an upstream. What every source has stands here; what only its kind has, in Spec.
type Source struct {
	Kind     string     // block type: "consul", "static", "dns"
	Weight   *int       `hcl:"weight,optional" min:"0" max:"10000"` // share within the priority; all sources of an upstream or none
	Priority int        `hcl:"priority,optional" min:"0" max:"15"`  // used when lower numbers are not healthy enough
	Spec     SourceSpec // the rest of the block, decoded by the kind's own struct
	Range    hcl.Range
}

// SourceSpec is the kind-specific part of a source block: a tagged struct that hcl decodes generically.
type SourceSpec interface {
	// SourceKey identifies what is listed, whoever asks: equal keys share one watch. It names every field that matters.
	SourceKey() SourceKey
}

// SourceKey is the identity of one listing: a kind and the canonical text of its parameters. It holds no secret.
type SourceKey struct{ Kind, Query string }

// String is KIND:QUERY, for logs and status.
func (k SourceKey) String() string { return k.Kind + ":" + k.Query }

// Subset selects endpoints that have at least this tag and these metadata. Its zero value selects all.
type Subset struct {
	Tag  string            `hcl:"tag,optional"`
	Meta map[string]string `hcl:"meta,optional"`
}

// IsZero says that s selects all endpoints.
func (s *Subset) IsZero() bool { return s == nil || s.Tag == "" && len(s.Meta) == 0 }
