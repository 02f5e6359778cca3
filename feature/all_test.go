package feature_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/feature"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const documents = `
gateway "edge" {
  listener "http" {
    port = 8080
  }
  headers {
    response {
      remove = ["server"]
    }
  }
}

upstream "shop" {
  static {
    endpoints = ["10.0.0.1:8080"]
  }
}

upstream "next" {
  static {
    endpoints = ["10.0.0.2:8080"]
  }
}

policy "standard" {
  timeout { request = "3s" }
  retry { attempts = 2 }
}

route "shop" {
  policies = [policy.standard]
  mirror {
    upstream = upstream.next
    percent  = 1
  }
  headers {
    request {
      set = { x-client = request.client_ip }
    }
  }
  to { upstream = upstream.shop }
}
`

// TestAllTogether has Envoy judge a listener with the filters of all features, and a route that uses them all.
func TestAllTogether(t *testing.T) {
	featuretest.Load(t, featuretest.Translate(t, feature.All(), featuretest.Documents{"all.hcl": documents}).Must(t).Resources)
}

// TestEveryFolderIsListed finds a feature that was written and not put into the list.
func TestEveryFolderIsListed(t *testing.T) {
	if _, err := translate.New(feature.All()); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, k := range feature.All() {
		listed[k.Type] = true
		if k.New().FeatureType() != k.Type {
			t.Errorf("feature %s makes blocks of type %s", k.Type, k.New().FeatureType())
		}
		if k.Levels == 0 {
			t.Errorf("feature %s may stand nowhere", k.Type)
		}
	}
	folders, err := filepath.Glob("*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if name := filepath.Dir(f); !listed[name] {
			t.Errorf("feature/%s is not in the list", name)
		}
	}
	for name := range listed {
		if _, err := os.Stat(filepath.Join(name, "README.md")); err != nil {
			t.Errorf("feature %s has no folder of its name with a README: %v", name, err)
		}
	}
}

// TestAMirrorsUpstreamHasItsSecrets: an upstream that gets copies alone is spoken to as any other.
func TestAMirrorsUpstreamHasItsSecrets(t *testing.T) {
	resources := featuretest.Translate(t, feature.All(), featuretest.Documents{"mirror.hcl": `
gateway "edge" {
  listener "http" { port = 8080 }
}
secret "pki" {
  vault_kv { path = "pki" }
}
upstream "shop" {
  static { endpoints = ["10.0.0.1:8080"] }
}
upstream "copy" {
  static { endpoints = ["10.0.0.2:8443"] }
  tls {
    sni = "shop.internal"
    ca  = secret.pki
  }
}
route "shop" {
  mirror { upstream = upstream.copy }
  to { upstream = upstream.shop }
}
`}).Must(t).Resources
	for _, r := range resources {
		if r.TypeURL == translate.SecretType && r.Name == "pki/#authorities" {
			return
		}
	}
	t.Error("the authorities of the mirror's upstream are sent to nobody")
}
