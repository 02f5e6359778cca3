package control

import (
	"fmt"
	"strings"
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
	// It is said where it can be read: what is wrong, and who needs it.
	tell("1", map[string][]byte{"value": []byte("canary")})
	all := s.Unfit()
	if len(all) != 1 || all[0].Secret != id || !strings.Contains(all[0].Problem, `no field "access_key"`) || !strings.Contains(all[0].Remedy, "access_key") ||
		len(all[0].Uses) != 1 || all[0].Uses[0].Block != (gateway.ID{Kind: gateway.KindUpstream, Name: "math"}) || all[0].Uses[0].At.Filename != "math.hcl" || all[0].Uses[0].At.Start.Line != 12 {
		t.Errorf("unfit: %+v", all)
	}
	told := 0
	for _, e := range s.Events(0) {
		if e.Kind == "secret" {
			told++
		}
	}
	s.put("more.hcl", route("more", "/more")) // nothing new is to be said of the secret
	if n := len(s.Events(0)); told == 0 || strings.Contains(fmt.Sprint(s.Unfit(), s.Events(0)), "canary") {
		t.Errorf("%d of %d events tell of the secret: %+v", told, n, s.Events(0))
	}
	tell("3", map[string][]byte{"access_key": []byte("canary"), "secret_key": []byte("canary")})
	if s.r.store.Get(signer) == nil {
		t.Error("good credentials are not published")
	}
	if all := s.Unfit(); len(all) > 0 {
		t.Errorf("unfit, with good credentials: %+v", all)
	}
	tell("4", map[string][]byte{})
	s.put("math.hcl", "")
	if all := s.Unfit(); len(all) > 0 {
		t.Errorf("unfit, with nobody to use it: %+v", all)
	}
}
