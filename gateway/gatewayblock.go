package gateway

import "github.com/hashicorp/hcl/v2"

// Gateway is a role that Envoys join by name (node.cluster): its listeners, and what holds for every route on it.
//
//sluice:block gateway "NAME"
type Gateway struct {
	Name      string      `hcl:"name,label"`
	Default   string      `hcl:"default,optional" oneof:"allow deny"` // deny: routes where nothing says who may call are refused
	Attach    bool        `hcl:"attach,optional"`                     // routes that name no gateway go to those that attach
	Listeners []*Listener `hcl:"listener,block"`
	Variants  []*Variant  `hcl:"variant,block"`
	Features  []Feature   `hcl:",features"`
	Range     hcl.Range   `hcl:",def_range"`
}

// Listener is one port of a gateway.
type Listener struct {
	Name    string       `hcl:"name,label"`
	Address string       `hcl:"address,optional"` // default 0.0.0.0; sluice dev rewrites it to loopback
	Port    int          `hcl:"port" min:"1" max:"65535"`
	Scope   string       `hcl:"scope,optional" oneof:"first_segment"` // how its table is parted; default: by host alone
	TLS     *ListenerTLS `hcl:"tls,block"`                            // nil: plain
	HTTP3   bool         `hcl:"http3,optional"`                       // offered on the same port, over UDP

	ProxyProtocol  string         `hcl:"proxy_protocol,optional" oneof:"required optional"` // connections begin with whom they come from
	TrustedHops    int            `hcl:"trusted_hops,optional" min:"0" max:"16"`            // proxies in front, each of which appends to x-forwarded-for
	TrustedProxies []string       `hcl:"trusted_proxies,optional"`                          // networks of the proxies that are believed; default all, with trusted_hops
	RedirectHTTPS  *RedirectHTTPS `hcl:"redirect_https,block"`                              // nil: requests go to the routes

	Range hcl.Range `hcl:",def_range"`
}

// ListenerKey names a listener of a gateway; its String is the name of the xDS Listener and RouteConfiguration.
type ListenerKey struct{ Gateway, Listener string }

// String is GATEWAY.LISTENER; neither part can hold a dot.
func (k ListenerKey) String() string { return k.Gateway + "." + k.Listener }
