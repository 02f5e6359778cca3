// Package feature lists the features.
package feature

import (
	circuitbreaker "github.com/sluice-gateway/sluice/feature/circuit_breaker"
	"github.com/sluice-gateway/sluice/feature/credential"
	"github.com/sluice-gateway/sluice/feature/headers"
	healthcheck "github.com/sluice-gateway/sluice/feature/health_check"
	"github.com/sluice-gateway/sluice/feature/http2"
	loadbalancer "github.com/sluice-gateway/sluice/feature/load_balancer"
	"github.com/sluice-gateway/sluice/feature/mirror"
	"github.com/sluice-gateway/sluice/feature/outlier"
	"github.com/sluice-gateway/sluice/feature/request"
	"github.com/sluice-gateway/sluice/feature/response"
	"github.com/sluice-gateway/sluice/feature/retry"
	"github.com/sluice-gateway/sluice/feature/timeout"
	"github.com/sluice-gateway/sluice/feature/tls"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// All lists every feature. The order is the order of the filters in every listener, so it is the order in which they
// see a request, and the reverse in which they see a response; it is also the order in which they change a route:
//
//  1. request, response: what the script does. They have no filter of their own: the script stands behind the filters
//     of all features but those that say Last.
//  2. headers: what the upstream and whatever logs the request see is what the headers blocks made of it. It follows
//     request and response, since it leaves to the script what these must not see changed, or must not change after it.
//  3. mirror, retry, timeout: parts of the route action, without a filter: the router, which carries them out, is the
//     last filter; among themselves their order means nothing.
//  4. http2, tls, health_check, circuit_breaker, outlier, load_balancer: parts of an upstream's cluster. http2 comes
//     first, since tls names the protocol and health_check asks as the upstream is spoken to.
//  5. credential: behind the script, so that no program sees the secret; and after mirror, whose copies do not get it.
//
// A feature that admits or refuses requests belongs before request.
func All() []translate.Kind {
	return []translate.Kind{
		request.Kind(),
		response.Kind(),
		headers.Kind(),
		mirror.Kind(),
		retry.Kind(),
		timeout.Kind(),
		http2.Kind(),
		tls.Kind(),
		healthcheck.Kind(),
		circuitbreaker.Kind(),
		outlier.Kind(),
		loadbalancer.Kind(),
		credential.Kind(),
	}
}
