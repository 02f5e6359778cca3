package translate_test

import (
	"strings"
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestASecretIsBuiltOfItsMaterial(t *testing.T) {
	id := gateway.ID{Kind: gateway.KindSecret, Name: "key"}
	known := true
	tr := translator(t).WithReveal(func(secret gateway.ID) (gateway.Material, bool) {
		return gateway.NewMaterial(map[string][]byte{
			"value": []byte("canary-1\n"), "token": []byte("canary-2"), "lines": []byte("canary\n3"), "empty": []byte("\n"),
		}), known && secret == id
	})
	for _, c := range []struct{ field, want, fails string }{
		{"", "canary-1", ""}, {"token", "canary-2", ""}, {"lines", "", "line break"}, {"empty", "", "is empty"}, {"none", "", "no field"},
	} {
		use := gateway.SecretUse{ID: id, Field: c.field}
		r, err := tr.Build(gateway.Inputs{Unit: use.Unit(), Gateways: []string{"edge"}, Secret: id, Field: c.field, Version: "1"})
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "canary") {
				t.Errorf("field %q: %v", c.field, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s := r.Message.(*tlsv3.Secret)
		if got := string(s.GetGenericSecret().GetSecret().GetInlineBytes()); got != c.want || s.Name != use.Unit().Name || r.Name != s.Name {
			t.Errorf("field %q: %s is %q", c.field, s.Name, got)
		}
	}
	known = false
	unit := gateway.SecretUse{ID: id}.Unit()
	for name, build := range map[string]func() error{
		"forgotten": func() error {
			_, err := tr.Build(gateway.Inputs{Unit: unit, Gateways: []string{"edge"}, Secret: id, Version: "1"})
			return err
		},
		"nobody reads": func() error {
			_, err := translator(t).Build(gateway.Inputs{Unit: unit, Gateways: []string{"edge"}, Secret: id, Version: "1"})
			return err
		},
	} {
		if err := build(); err == nil {
			t.Errorf("%s: it is built", name)
		}
	}
	r, err := tr.Build(gateway.Inputs{Unit: unit, Gateways: []string{"edge"}, Secret: id})
	if err != nil || len(r.Message.(*tlsv3.Secret).GetGenericSecret().GetSecret().GetInlineBytes()) != 0 {
		t.Errorf("what has expired is %v, %v", r, err)
	}
	if r, err := tr.Build(gateway.Inputs{Unit: unit, Secret: id}); r != nil || err != nil {
		t.Errorf("what no gateway uses is %v, %v", r, err)
	}
}
