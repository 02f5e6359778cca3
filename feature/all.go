// Package feature lists the features.
package feature

import (
	"github.com/sluice-gateway/sluice/feature/headers"
	"github.com/sluice-gateway/sluice/feature/mirror"
	"github.com/sluice-gateway/sluice/feature/retry"
	"github.com/sluice-gateway/sluice/feature/timeout"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// All lists every feature. The order is the order of the filters in every listener, so it is the order in which they
// see a request, and the reverse in which they see a response:
//
//  1. headers: what the upstream and whatever logs the request see is what the headers blocks made of it.
//  2. mirror, retry, timeout: parts of the route action, without a filter. They come last because the router, which
//     carries them out, is the last filter; among themselves their order means nothing.
//
// A feature that admits or refuses requests belongs before headers, one that rewrites bodies after it.
func All() []translate.Kind {
	return []translate.Kind{
		headers.Kind(),
		mirror.Kind(),
		retry.Kind(),
		timeout.Kind(),
	}
}
