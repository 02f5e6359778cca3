package gateway

import "strings"

// UnitType is the kind of one xDS resource.
type UnitType uint8

// The resources that a world becomes. Names: listener and routes "GATEWAY.LISTENER", host "GATEWAY.LISTENER/HOST",
// cluster and assignment the upstream's name.
const (
	UnitListener   UnitType = iota + 1 // LDS, with its RouteConfiguration's name in it
	UnitRoutes                         // RDS: the RouteConfiguration, which says only that hosts come by VHDS
	UnitHost                           // VHDS: one virtual host
	UnitCluster                        // CDS
	UnitAssignment                     // EDS
	UnitSecret                         // SDS: "SECRET", or "SECRET/FIELD"
	UnitSigner                         // ECDS: the credentials with which a Lambda upstream's calls are signed; the upstream's name
	UnitScript                         // ECDS: the script that runs programs; one, ScriptName
	UnitScope                          // SRDS: "GATEWAY.LISTENER/SEGMENT": of a listener with scopes, in place of its routes and hosts
	UnitHTTP3                          // LDS: the same listener over QUIC, where there is HTTP/3; "GATEWAY.LISTENER"
)

// Unit is one xDS resource: the smallest thing that is translated, sent, acknowledged and removed.
type Unit struct {
	Type UnitType
	Name string
}

// ScriptName is the name of the one UnitScript.
const ScriptName = "sluice.script"

// HostUnit names the virtual host of a listener.
func HostUnit(k ListenerKey, host string) Unit {
	return Unit{Type: UnitHost, Name: k.String() + "/" + host}
}

// CompareUnit orders units by type, then name.
func CompareUnit(a, b Unit) int {
	if a.Type != b.Type {
		return int(a.Type) - int(b.Type)
	}
	return strings.Compare(a.Name, b.Name)
}

// FormRef names one form of a block: what a resource was built from, what the ledger holds, what is quarantined.
type FormRef struct {
	ID
	Hash string
}

// Inputs is all that a unit is built from: resolved values only. A builder gets nothing else.
type Inputs struct {
	Unit     Unit
	Gateways []string  // sorted roles whose Envoys see the resource; none: it is removed
	Held     bool      // an input is not known yet: neither update nor remove it
	Forms    []FormRef // sorted; the blocks that contribute

	Gateway  *Gateway  // listener, routes, host
	Listener *Listener // listener, routes, host

	Generation int // listener: of the filter list in force; 0 is the newest

	Host  string        // host: an exact name, "*.example.com" or "*"
	Table []*TableRoute // host: in deciding order

	Segment string      // scope: the first segment; "" of the path "/"
	Hosts   []ScopeHost // scope: by host

	Upstream  *Upstream    // cluster, assignment
	Features  []Effective  // cluster: the upstream's own, switched-off ones left out
	Subsets   []SubsetKeys // cluster, assignment: what some destination selects by; sorted
	Endpoints []Locals     // assignment: sorted by priority, then locality

	Secret  ID         // secret: whose material; signer: the credentials
	Field   string     // secret: of the material; "" is its only one
	Form    SecretForm // secret: what is made of it
	Version string     // secret, signer: of the material; Held while it is not known, and "" when it has expired
}

// TableRoute is one alternative of a route as it stands in the table of a host.
type TableRoute struct {
	Route        *Route
	Form         FormRef
	Index        int                 // of the alternative in Route.Matches
	Match        *Match              // never nil: a route without one has the prefix "/"
	Variant      *Variant            // what this entry selects, nil for the plain entry; its conditions are already in Match
	Features     []Effective         // of a redirect or a response, weakest first
	Denied       bool                // a redirect or a response that the gateway's default refuses
	Destinations []*TableDestination // in written order; empty for redirect and respond
}

// TableDestination is one weighted destination, resolved.
type TableDestination struct {
	To       *Destination
	Upstream *Upstream
	Weight   uint32  // an absent weight is 1; may be 0, but not for all of a route
	Subset   *Subset // the variant's, else the destination's
	Fallback bool
	Features []Effective // all in force for this destination, weakest first, combined by their rules

	Function *Function // what is called; nil for a plain upstream
	Call     *Call     // how, with the destination's arguments; nil for a plain upstream, and for native gRPC
	Denied   bool      // nothing says who may call, and the gateway denies by default
	Degraded string    // why the function may fail: it is not found any more; "" is fine

	form FormRef // of a discovered function, for who is to blame when Envoy refuses it
}

// SubsetKeys is one selector of an upstream: the metadata keys that a destination selects by.
type SubsetKeys struct {
	Keys     string // sorted, joined by \x00: "tag/v2", "meta/version"
	Fallback bool   // an empty subset falls back to all endpoints
}

// SubsetKey names the metadata entry of a tag, SubsetMeta that of a metadata key.
func SubsetKey(tag string) string { return "tag/" + tag }

// SubsetMeta names the metadata entry of a metadata key.
func SubsetMeta(key string) string { return "meta/" + key }

// Locals is the endpoints of one locality at one priority.
type Locals struct {
	Priority  int
	Locality  Locality
	Weight    uint32 // of the locality within its priority; 0: none is set
	Endpoints []Endpoint
}
