package gateway

import "github.com/hashicorp/hcl/v2"

// Feature is one decoded feature block: a pointer to a tagged struct that lives in feature/NAME. It is immutable.
type Feature interface {
	FeatureType() string // the block type: "retry"
	SourceRange() hcl.Range
	Refs() []Ref // blocks that it names (the upstream of a mirror); nil for most
}

// FeatureBase is embedded by every feature's struct. It carries what the language gives all of them.
type FeatureBase struct {
	Enabled *bool     `hcl:"enabled,optional"` // false turns an inherited one off
	Locked  bool      `hcl:"locked,optional"`  // nearer blocks cannot turn it off or replace it
	Range   hcl.Range `hcl:",def_range"`
}

// Base returns the part that every feature has.
func (b *FeatureBase) Base() *FeatureBase { return b }

// SourceRange is the block's place.
func (b *FeatureBase) SourceRange() hcl.Range { return b.Range }

// Refs names no block; a feature that does overrides it.
func (b *FeatureBase) Refs() []Ref { return nil }

// Combine says how blocks of one feature at several levels act together.
type Combine uint8

// The ways to act together.
const (
	Nearest Combine = iota // the nearest block wins whole
	Add                    // all hold: those that admit requests
	Compose                // all are applied in order, weakest first: headers, request, response
)

// Level is where a block of a feature stands, weakest first.
type Level uint8

// The levels in the order in which nearer ones win.
const (
	LevelGateway Level = 1 << iota
	LevelUpstream
	LevelFunction
	LevelPolicy
	LevelRoute
	LevelTo
	AllLevels = LevelGateway | LevelUpstream | LevelFunction | LevelPolicy | LevelRoute | LevelTo
)

// String is the block type of the level.
func (l Level) String() string {
	switch l {
	case LevelGateway:
		return "gateway"
	case LevelUpstream:
		return "upstream"
	case LevelFunction:
		return "function"
	case LevelPolicy:
		return "policy"
	case LevelRoute:
		return "route"
	case LevelTo:
		return "to"
	}
	return "unknown"
}

// FeatureRule is what the merge has to know of a feature type; the list of features in filter order provides it.
type FeatureRule struct {
	Type    string
	Combine Combine
	Levels  Level // bit set of levels at which a block may stand
	Since   int   // the generation of the filter list that has its filters first; 0: it needs none
}

// Effective is one feature in force on a route or destination, and where it comes from.
type Effective struct {
	Feature Feature
	Level   Level
	From    ID // the block that holds it

	Over []Effective // what it takes the place of, weakest first; each as it was written
}

// Admitter is implemented by the features that say who may call.
type Admitter interface {
	// Admits says in words who passes: "callers with a token of https://id.example.com". ok is false where everybody
	// does, as by a rule that only counts.
	Admits() (who string, ok bool)
}

// admission lists who passes all features, in words; none: nothing asks who calls.
func admission(features []Effective) (who []string) {
	for _, e := range features {
		if a, is := e.Feature.(Admitter); is {
			if text, ok := a.Admits(); ok {
				who = append(who, text)
			}
		}
	}
	return who
}

// Admission says in words whom a destination admits, one condition each, all of which hold; none: everybody, unless it is
// Denied.
func (d *TableDestination) Admission() []string { return admission(d.Features) }

// Admission is that of a redirect or a response.
func (e *TableRoute) Admission() []string { return admission(e.Features) }

// Checker is implemented by blocks and features whose attributes constrain each other. Check is called once after the
// block has decoded without errors; ranges are the value ranges of its attributes by name, and the block's own under "".
type Checker interface {
	Check(ranges map[string]hcl.Range) hcl.Diagnostics
}

// UpstreamChecker is implemented by features that the rest of their upstream constrains. CheckUpstream is called after
// the whole block has decoded without errors.
type UpstreamChecker interface {
	CheckUpstream(u *Upstream) hcl.Diagnostics
}
