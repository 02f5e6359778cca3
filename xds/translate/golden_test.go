package translate_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/internal/featuretest"
)

func TestGolden(t *testing.T) { featuretest.Golden(t, "testdata", nil) }
