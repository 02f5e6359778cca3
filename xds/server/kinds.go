package server

import (
	"strings"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// kind is what the server knows about one resource type.
type kind struct {
	short    string // label of metrics
	whole    bool   // a NACK rejects the whole response: small changes go one to a response
	explicit bool   // asked for by name only: a first request without names asks for nothing
	needed   bool   // other resources refer to it: its removal waits for the grace
}

// kinds are the types in the order in which one flush sends them: what is referred to comes first.
var (
	kindOrder = []string{
		resourcev3.ClusterType, resourcev3.EndpointType, resourcev3.SecretType, resourcev3.ExtensionConfigType,
		resourcev3.ListenerType, resourcev3.RouteType, resourcev3.ScopedRouteType, resourcev3.VirtualHostType,
	}
	kinds = map[string]kind{
		resourcev3.ClusterType:         {short: "cds", needed: true},
		resourcev3.EndpointType:        {short: "eds", whole: true, explicit: true, needed: true},
		resourcev3.SecretType:          {short: "sds", whole: true, explicit: true, needed: true},
		resourcev3.ExtensionConfigType: {short: "ecds", whole: true, explicit: true, needed: true},
		resourcev3.ListenerType:        {short: "lds"},
		resourcev3.RouteType:           {short: "rds", whole: true, explicit: true, needed: true},
		resourcev3.ScopedRouteType:     {short: "srds", whole: true},
		resourcev3.VirtualHostType:     {short: "vhds", whole: true},
	}
)

const (
	smallBatch  = 8                // up to so many changes of a "whole" type go one to a response
	batchBytes  = 1 << 20          // larger batches are cut at about this size, below the 4 MiB that Go clients accept
	maxInFlight = 256              // unanswered responses of one type; beyond it changes gather
	bisectWays  = 4                // a refused batch is sent again in so many parts
	removalWait = 15 * time.Second // beyond the grace, a removal waits so long for the upserts before it
)

// namespace is the RouteConfiguration of a virtual host's name: "edge.web" of "edge.web/api.example.com".
func namespace(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}
