package control

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

const lambdas = `
secret "aws" {
  vault_kv {
    mount = "secret"
    path  = "aws"
  }
}

upstream "math" {
  lambda {
    region      = "us-east-1"
    credentials = secret.aws
    discover    = false
  }
}

route "math" {
  hosts = ["shop.example.com"]
  match { prefix = "/math" }
  to { function = function.math.add }
}
`

// TestMaterialThatIsNoCredentialsConvictsNobody: what stands in Vault is not what blocks say, and mends without them.
func TestMaterialThatIsNoCredentialsConvictsNobody(t *testing.T) {
	material := map[string][]byte{"value": []byte("canary")}
	s := newSteps(t, func(cfg *Config) {
		cfg.Translator = cfg.Translator.WithReveal(func(gateway.ID) (gateway.Material, bool) {
			return gateway.NewMaterial(material), material != nil
		})
	})
	s.Connected(edgeNode)
	s.put("base.hcl", base+route("old", "/old"))
	s.put("math.hcl", lambdas)
	id := gateway.ID{Kind: gateway.KindSecret, Name: "aws"}
	signer := store.Key{Type: translate.ExtensionType, Name: "signer/math"}
	tell := func(version string, m map[string][]byte) {
		material = m
		s.SecretVersions(map[gateway.ID]string{id: version})
		s.drain()
		s.ack(edgeNode)
	}
	for version, bad := range map[string]map[string][]byte{"1": {"value": []byte("canary")}, "2": nil} {
		tell(version, bad)
		for _, b := range []*gateway.Block{s.r.block("secret", "aws"), s.r.block("upstream", "math"), s.r.block("route", "math")} {
			if b.InForce == nil || b.State == gateway.StateRejected {
				t.Errorf("version %s: %s is %s: %v", version, b.ID, b.State, b.Diags)
			}
		}
	}
	if len(s.outbox.take()) > 0 {
		t.Error("other replicas are told of a conviction")
	}
	tell("3", map[string][]byte{"access_key": []byte("canary"), "secret_key": []byte("canary")})
	if s.r.store.Get(signer) == nil {
		t.Error("good credentials are not published")
	}
}
