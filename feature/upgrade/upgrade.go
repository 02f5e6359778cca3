// Package upgrade is the feature "upgrade": connections that become something else, such as websockets.
package upgrade

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Upgrade lets requests turn their connection into another protocol; all others are refused.
type Upgrade struct {
	gateway.FeatureBase
	Protocols []string      `hcl:"protocols,optional"`                             // as clients name them; default websocket
	Idle      time.Duration `hcl:"idle,optional" default:"1h" min:"0s" max:"240h"` // without a byte in either direction; 0s: for ever
}

// protocol is a name, and maybe a version, of RFC 9110, section 7.8.
var protocol = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+(/[-!#$%&'*+.^_`|~0-9A-Za-z]+)?$")

var (
	_ gateway.Feature = (*Upgrade)(nil)
	_ gateway.Checker = (*Upgrade)(nil)
)

// FeatureType is the block's name.
func (*Upgrade) FeatureType() string { return "upgrade" }

// Check refuses what is no protocol, and what would make the gateway an open proxy.
func (u *Upgrade) Check(ranges map[string]hcl.Range) (diags hcl.Diagnostics) {
	at := ranges["protocols"]
	wrong := func(format string, args ...any) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid protocol", Detail: fmt.Sprintf(format, args...), Subject: &at})
	}
	seen := map[string]bool{}
	for _, p := range u.Protocols {
		switch lower := strings.ToLower(p); {
		case !protocol.MatchString(p):
			wrong("%q is no name of a protocol. Write it as clients do in their Upgrade header, for example \"websocket\".", p)
		case lower == "connect" || lower == "connect-udp":
			wrong("%s is a method, by which clients choose where to go, and no upgrade. Remove it.", p)
		case lower == "h2c":
			wrong("h2c is no upgrade that goes through a gateway: a client speaks HTTP/2 to it at once. Remove it.")
		case seen[lower]:
			wrong("%q stands in protocols twice. Remove one of the two.", p)
		default:
			seen[lower] = true
		}
	}
	return diags
}

// Kind is the feature as the translator and the language know it.
func Kind() translate.Kind {
	return translate.Kind{
		FeatureRule: gateway.FeatureRule{Type: "upgrade", Combine: gateway.Nearest, Levels: gateway.AllLevels},
		New:         func() gateway.Feature { return &Upgrade{} },
		Route:       route,
	}
}

// route needs nothing of the listener: Envoy asks the route first. A timeout of the whole request ends at the upgrade,
// since the response has begun by then; that without a byte is the block's own.
func route(features []gateway.Effective, out *translate.Route) error {
	if out.Action == nil {
		return nil // the gateway answers by itself
	}
	u := features[len(features)-1].Feature.(*Upgrade)
	protocols := u.Protocols
	if len(protocols) == 0 {
		protocols = []string{"websocket"}
	}
	for _, p := range protocols {
		out.Action.UpgradeConfigs = append(out.Action.UpgradeConfigs, &routev3.RouteAction_UpgradeConfig{UpgradeType: p})
	}
	out.Action.IdleTimeout = durationpb.New(u.Idle)
	return nil
}
