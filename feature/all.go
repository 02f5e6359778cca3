// Package feature lists the features.
package feature

import (
	circuitbreaker "github.com/sluice-gateway/sluice/feature/circuit_breaker"
	"github.com/sluice-gateway/sluice/feature/cors"
	"github.com/sluice-gateway/sluice/feature/credential"
	"github.com/sluice-gateway/sluice/feature/csrf"
	extauthz "github.com/sluice-gateway/sluice/feature/ext_authz"
	"github.com/sluice-gateway/sluice/feature/headers"
	healthcheck "github.com/sluice-gateway/sluice/feature/health_check"
	"github.com/sluice-gateway/sluice/feature/http2"
	ipallow "github.com/sluice-gateway/sluice/feature/ip_allow"
	loadbalancer "github.com/sluice-gateway/sluice/feature/load_balancer"
	"github.com/sluice-gateway/sluice/feature/mirror"
	"github.com/sluice-gateway/sluice/feature/outlier"
	proxyprotocol "github.com/sluice-gateway/sluice/feature/proxy_protocol"
	ratelimit "github.com/sluice-gateway/sluice/feature/rate_limit"
	"github.com/sluice-gateway/sluice/feature/rbac"
	"github.com/sluice-gateway/sluice/feature/request"
	"github.com/sluice-gateway/sluice/feature/response"
	"github.com/sluice-gateway/sluice/feature/retry"
	"github.com/sluice-gateway/sluice/feature/timeout"
	"github.com/sluice-gateway/sluice/feature/tls"
	"github.com/sluice-gateway/sluice/feature/upgrade"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// All lists every feature. The order is the order of the filters in every listener, so it is the order in which they
// see a request, and the reverse in which they see a response; it is also the order in which they change a route:
//
//  1. compress, error_page: the outermost. They see every answer, that of a feature which refuses a request, too.
//  2. What admits requests, the cheapest first and each before what needs it: ip_allow; cors, which answers preflights,
//     as these bear no credentials; csrf; the token buckets of rate_limit are in its place below. oidc before jwt, which
//     verifies what a login left; then api_key, basic_auth and ext_authz; rbac last, since it asks who it is.
//  3. How much: rate_limit, which counts for the caller whom the above found, then admission and adaptive_concurrency.
//  4. fault, buffer, bandwidth, ext_proc, decompress, cache: on the way of what was admitted. cache is the last: it
//     holds what the script makes.
//  5. request, response: what the script does. They have no filter of their own: the script stands behind the filters
//     of all features but those that say Last.
//  6. headers: what the upstream and whatever logs the request see is what the headers blocks made of it. It follows
//     request and response, since it leaves to the script what these must not see changed, or must not change after it.
//  7. mirror, retry, timeout, upgrade: parts of the route action, without a filter: the router, which carries them out,
//     is the last filter. upgrade follows timeout, whose bound without a byte it replaces.
//  8. http2, tls, proxy_protocol, health_check, circuit_breaker, outlier, load_balancer: parts of an upstream's cluster.
//     http2 comes first, since tls names the protocol and health_check asks as the upstream is spoken to; proxy_protocol
//     wraps what tls made.
//  9. credential: behind the script, so that no program sees the secret; and after mirror, whose copies do not get it.
func All() []translate.Kind {
	return []translate.Kind{
		ipallow.Kind(),
		cors.Kind(),
		csrf.Kind(),
		extauthz.Kind(),
		rbac.Kind(),
		ratelimit.Kind(),
		request.Kind(),
		response.Kind(),
		headers.Kind(),
		mirror.Kind(),
		retry.Kind(),
		timeout.Kind(),
		upgrade.Kind(),
		http2.Kind(),
		tls.Kind(),
		proxyprotocol.Kind(),
		healthcheck.Kind(),
		circuitbreaker.Kind(),
		outlier.Kind(),
		loadbalancer.Kind(),
		credential.Kind(),
	}
}
