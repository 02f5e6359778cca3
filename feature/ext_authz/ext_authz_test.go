package extauthz

import (
	"testing"

	"github.com/sluice-gateway/sluice/feature/http2"
	"github.com/sluice-gateway/sluice/internal/featuretest"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind(), http2.Kind()) }
