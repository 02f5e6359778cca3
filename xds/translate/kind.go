// Package translate turns units of a world into Envoy's protos. It is pure: equal inputs give equal bytes.
package translate

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/gateway"
)

// Kind is one feature: the one interface between its folder and everything else. Adding a feature is a folder that
// exports a Kind and a line in the ordered list of package feature.
type Kind struct {
	gateway.FeatureRule // Type is the block's name; how levels combine; where it may stand

	// New returns a pointer to a zero block struct, which the language fills by its tags.
	New func() gateway.Feature

	// Filters are the HTTP filters that the feature needs in every listener, disabled unless they do nothing without
	// route configuration. Nil for a feature of the route action alone. Constant: it takes no input.
	Filters func() []Filter

	// Route, Cluster and Endpoint change what is built for one destination of a route, for an upstream, or for each of
	// its endpoints, so that the features hold. They get the features of this type in force, weakest first: one, unless Combine says otherwise. Nil where
	// the feature does nothing at that place. An error is a bug: what a user can write wrong is a diagnostic of the
	// block, found by the block's own Check.
	Route    func(features []gateway.Effective, out *Route) error
	Cluster  func(features []gateway.Effective, out *Cluster) error
	Endpoint func(features []gateway.Effective, out *endpointv3.Endpoint) error
}

// Filter is one entry of the listener's fixed filter list.
type Filter struct {
	Name     string
	Config   proto.Message
	Disabled bool   // turned on by per-route configuration
	Last     bool   // it stands behind the script, which so neither sees nor overwrites what it does to a request
	Since    int    // the generation of the filter list that has it first; 0 is 1
	Requires string // the Envoy extension it needs ("envoy.filters.http.lua"), checked per node

	Brings []string // further extensions that routes put into it; see ChainFilter
}

// Route is what a feature may change. Every destination has an Envoy route of its own (weights are cumulative
// runtime fractions, which Envoy evaluates against one random number per request), so whatever a route can carry can
// differ by destination. Action and Dest are nil on a redirect or a direct response.
type Route struct {
	Table  *gateway.TableRoute
	Dest   *gateway.TableDestination
	Route  *routev3.Route
	Action *routev3.RouteAction
	Needs  []Key // resources that must be acknowledged before this one is sent; append to it

	// Program is what the script does on this route. Features append to its Request and Response; the translator lowers
	// it when all of them have run, to native configuration where that can do it. Nil on a redirect or a direct response.
	Program *gateway.Program

	// Reference says that Program is to hold all that happens to messages: nothing goes to an Envoy. See ProgramOf.
	Reference bool
}

// Cluster is what a feature may change on an upstream's cluster.
type Cluster struct {
	Upstream *gateway.Upstream
	Cluster  *clusterv3.Cluster
	HTTP     *httpv3.HttpProtocolOptions
	Needs    []Key // secrets that it refers to; append to it
}

// Key names an xDS resource.
type Key struct{ TypeURL, Name string }

// Resource is one built resource and what it newly needs.
type Resource struct {
	Key
	Message proto.Message
	Needs   []Key
	StandIn bool // see StandIn: it is for Envoys that have nothing else in its place

	// Requires names the Envoy extensions that the resource uses beyond those that every Envoy has, sorted. An Envoy
	// without one of them is not sent the resource.
	Requires []string
}
