package request

import (
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind()) }
