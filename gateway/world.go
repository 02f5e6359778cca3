package gateway

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Rules is what the merge knows of features; it comes from the ordered list of features and never changes.
type Rules struct {
	Features  []FeatureRule // in filter order
	Functions int           // the generation of the filter list that has what calls of functions need first; 0: nothing does
	Roots     []string      // where documents on disk are, with slashes: a team's patterns are below them
	Offline   bool          // no finder ever runs: functions that only discovery can know are taken for granted, with a warning
}

// World is the merged state: documents, endpoints, accepted forms. It is immutable and safe to read from anywhere;
// Apply makes the next one. Make the first with New.
type World struct {
	rules *Rules

	// Inputs, as last given.
	docs       shards[string, *Document] // the last good version of each document
	broken     cow[string, *Document]    // documents whose newest version does not parse
	leaves     cow[ID, *string]          // raw values that were read or written
	rejected   cow[ID, *BadValue]        // values that make a reader invalid
	sources    shards[SourceKey, []Endpoint]
	ledger     shards[ID, *Form] // last accepted form of each block, and of each value
	quarantine cow[FormRef, string]
	drained    cow[string, bool]
	settled    bool // the start-up grace is over
	generation int  // of the filter list; 0: the newest
	listings   cow[FinderKey, *listing]
	memory     shards[ID, *Function] // what each reference to a discovered function last led to
	agreed     shards[ID, *Led]      // the same, as the ledger has it
	versions   cow[ID, string]       // of secret material; absent: not known yet, "": expired

	// Derived.
	blocks    shards[ID, *Block]
	defs      shards[ID, []definition]   // documents that define a block, the winner first
	readers   counts[ID, ID]             // leaf or local → blocks whose newest form read it
	stated    counts[ID, string]         // value → the defaults that newest forms state for it
	users     counts[ID, ID]             // block → blocks that name it, in their newest form or the one in force
	names     shards[ID, map[ID]bool]    // the reverse of users
	deleted   cow[ID, bool]              // retired blocks
	withheld  cow[ID, bool]              // blocks whose newest form lacks what others need
	claimants counts[string, ID]         // host and match → routes that want it, in their newest form or the one in force
	tables    cow[Unit, []*TableRoute]   // host units, in deciding order
	scopes    counts[string, string]     // name of a scope's unit → hosts that have routes in it
	uses      counts[string, string]     // upstream → gateways whose routes use it
	subsets   counts[string, SubsetKeys] // upstream → selectors that its destinations use
	bySource  counts[SourceKey, string]  // listing → upstreams that it feeds
	gateways  cow[string, *Gateway]      // instances in force
	upstreams cow[string, *Upstream]     // instances in force
	finders   cow[string, []Finder]      // upstream → what it asks for; only of those that ask
	functions shards[ID, *boundFunction] // instances of function blocks in force
	secrets   cow[ID, *Secret]           // secrets in force
	teams     cow[string, *Team]         // teams in force
	carried   counts[ID, carrier]        // secret → its fields on the gateways whose routes use them
	signs     counts[ID, string]         // secret → Lambda upstreams whose calls it signs
	meshes    counts[ID, string]         // identity in a mesh → upstreams in force with endpoints there
}

// definition is one place where a block is written.
type definition struct {
	doc   *Document
	block Written
}

// BadValue says why a value is not in force.
type BadValue struct {
	Key   string // below values/
	Diags hcl.Diagnostics

	by map[ID]hcl.Diagnostics // the readers that it makes invalid, and what they say
}

// New returns the empty world.
func New(rules *Rules) *World { return &World{rules: rules} }

// begin returns a copy that shares everything until it is written to.
func (w *World) begin() *World {
	n := *w
	n.broken.mine, n.leaves.mine, n.rejected.mine = false, false, false
	n.quarantine.mine, n.drained.mine = false, false
	n.docs.share()
	n.ledger.share()
	n.blocks.share()
	n.defs.share()
	n.names.share()
	n.sources.share()
	n.tables.mine, n.gateways.mine, n.upstreams.mine = false, false, false
	n.deleted.mine, n.withheld.mine = false, false
	n.readers.share()
	n.stated.share()
	n.users.share()
	n.claimants.share()
	n.scopes.share()
	n.uses.share()
	n.subsets.share()
	n.bySource.share()
	n.listings.mine, n.versions.mine, n.finders.mine, n.secrets.mine = false, false, false, false
	n.teams.mine = false
	n.memory.share()
	n.agreed.share()
	n.functions.share()
	n.carried.share()
	n.signs.share()
	n.meshes.share()
	return &n
}

// State says what became of a written block.
type State string

// The states of a block.
const (
	StatePending  State = "pending"  // in force, not yet acknowledged by every Envoy of its gateways
	StateAccepted State = "accepted" // in force and acknowledged
	StateRejected State = "rejected" // its newest form is invalid; the last good one, if any, is in force
	StateRetired  State = "retired"  // deleted, and kept because blocks in force name it
	StateWaiting  State = "waiting"  // its newest form names what a finder has not listed yet; the last good one, if any, is in force
)

// Block is one written block: what was written last, what is in force, and why they differ. It is immutable.
type Block struct {
	ID
	State   State
	Newest  *Form           // the newest written form; nil when deleted, or when it could not be evaluated at all
	InForce *Form           // what is translated; nil when absent
	Diags   hcl.Diagnostics // errors and warnings of the newest form
	HeldBy  []ID            // of a retired block: who names it

	// Degraded says of a route in force which functions that it calls are not found any more, sorted.
	Degraded []string

	own    hcl.Diagnostics // of evaluation alone, before references and claims
	flat   *flat           // of a route: what it puts into tables
	lapsed *Form           // of a route: a last good form that cannot be in force as things stand
	wants  []string        // of a route: claims of its newest form and the one in force
}

// Block returns a block by its ID; nil where there is none.
func (w *World) Block(id ID) *Block { return w.blocks.get(id) }

// Blocks lists all blocks, sorted by ID.
func (w *World) Blocks() []*Block {
	out := slices.Collect(w.Each())
	slices.SortFunc(out, func(a, b *Block) int { return CompareID(a.ID, b.ID) })
	return out
}

// Documents lists the documents by name: the newest version, which may be broken.
func (w *World) Documents() map[string]*Document {
	out := w.docs.all()
	if out == nil {
		out = map[string]*Document{}
	}
	maps.Copy(out, w.broken.m)
	return out
}

// Gateway returns a gateway in force; nil where there is none.
func (w *World) Gateway(name string) *Gateway { return w.gateways.get(name) }

// Gateways lists the gateways in force by name.
func (w *World) Gateways() []*Gateway { return sortedValues(w.gateways.m) }

// kindGateways lists the gateway blocks, in force or not.
func (w *World) kindGateways() map[ID]bool {
	out := map[ID]bool{}
	for id := range w.defs.entries() {
		if id.Kind == KindGateway {
			out[id] = true
		}
	}
	for name := range w.gateways.m {
		out[ID{KindGateway, name}] = true
	}
	return out
}

// Upstream returns an upstream in force; nil where there is none.
func (w *World) Upstream(name string) *Upstream { return w.upstreams.get(name) }

// Upstreams lists the upstreams in force by name.
func (w *World) Upstreams() []*Upstream { return sortedValues(w.upstreams.m) }

// Table returns the routes of one host of a listener in deciding order.
func (w *World) Table(k ListenerKey, host string) []*TableRoute {
	return w.tables.get(HostUnit(k, host))
}

// Sources lists what the upstreams in force ask for.
func (w *World) Sources() map[SourceKey]*Source {
	out := map[SourceKey]*Source{}
	for _, u := range w.upstreams.m {
		for _, s := range u.Sources {
			out[s.Spec.SourceKey()] = s
		}
	}
	return out
}

// Endpoints returns what a source last reported; ok is false while it has never answered.
func (w *World) Endpoints(k SourceKey) (list []Endpoint, ok bool) {
	return w.sources.lookup(k)
}

// BadValues lists the values that are not in force, sorted by key.
func (w *World) BadValues() []*BadValue {
	out := slices.Collect(maps.Values(w.rejected.m))
	slices.SortFunc(out, func(a, b *BadValue) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// Leaves lists the values, variables and files that some block read, with what is in force; nil is absent.
func (w *World) Leaves() map[ID]*string {
	out := map[ID]*string{}
	for id := range w.readers.entries() {
		if id.Kind != KindLocal {
			out[id] = w.leaf(id)
		}
	}
	return out
}

// Accepted returns the last accepted form of a block or value, as the ledger has it; nil where there is none.
func (w *World) Accepted(id ID) *Form { return w.ledger.get(id) }

// Ledger lists the last accepted forms of blocks, and of values under their kv IDs.
func (w *World) Ledger() map[ID]*Form { return w.ledger.all() }

// LastGood lists the newest version of each document that parsed.
func (w *World) LastGood() []*Document { return sortedValues(w.docs.all()) }

// Raw lists the leaves as they were given, those that are not in force included; nil is absent.
func (w *World) Raw() map[ID]*string { return maps.Clone(w.leaves.m) }

// Known lists what each source last reported.
func (w *World) Known() map[SourceKey][]Endpoint { return w.sources.all() }

// Detached says that the document of a block's form in force does not hold the block any more.
func (w *World) Detached(id ID) bool {
	b := w.blocks.get(id)
	if b == nil || b.InForce == nil {
		return false
	}
	doc := w.docs.get(b.InForce.Written.Document())
	return doc == nil || !doc.defines(id)
}

// UsersOf lists the blocks that name id, or need it without a name, sorted.
func (w *World) UsersOf(id ID) []ID {
	out := slices.Collect(maps.Keys(w.users.of(id)))
	for upstream := range w.meshes.of(id) {
		out = append(out, ID{KindUpstream, upstream}.Written())
	}
	slices.SortFunc(out, CompareID)
	return slices.Compact(out)
}

func sortedValues[K cmp.Ordered, V any](m map[K]*V) []*V {
	out := make([]*V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}
