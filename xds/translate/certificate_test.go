package translate_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// TestCertificatesOfSecrets has the parts of a certificate found wherever people store them, and refuses what is none
// without saying what is in it.
func TestCertificatesOfSecrets(t *testing.T) {
	c := featuretest.TheCertificates()
	other := []byte("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAGhRANCAARrF9Hy4SxCR/i85uVjpEDydwN9gS3r\nM6D0oTlF2JjClk/jQuL+Gn+bjufrSnwPnhYrzjNXazFezsu2QGg3v1H1\n-----END PRIVATE KEY-----\n")
	whole := bytes.Join([][]byte{c.Key, c.Chain, c.Authority}, []byte("\n"))
	for name, test := range map[string]struct {
		form   gateway.SecretForm
		field  string
		fields map[string][]byte
		err    string
	}{
		"as Vault names them":      {gateway.FormCertificate, "", map[string][]byte{"certificate": c.Chain, "private_key": c.Key, "ca_chain": c.Authority}, ""},
		"as Kubernetes names them": {gateway.FormCertificate, "", map[string][]byte{"tls.crt": c.Chain, "tls.key": c.Key}, ""},
		"all in one value":         {gateway.FormCertificate, "", map[string][]byte{"value": whole}, ""},
		"all in a named field":     {gateway.FormCertificate, "bundle", map[string][]byte{"bundle": whole, "value": []byte("x")}, ""},
		"no key":                   {gateway.FormCertificate, "", map[string][]byte{"certificate": c.Chain}, "holds 0 private keys"},
		"two keys":                 {gateway.FormCertificate, "", map[string][]byte{"certificate": c.Chain, "private_key": c.Key, "key": other}, "holds 2 private keys"},
		"no certificate":           {gateway.FormCertificate, "", map[string][]byte{"private_key": c.Key}, "holds no certificate"},
		"the key of another":       {gateway.FormCertificate, "", map[string][]byte{"certificate": c.Chain, "private_key": other}, "of another certificate"},
		"no certificate at all":    {gateway.FormCertificate, "", map[string][]byte{"certificate": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "private_key": c.Key}, "cannot be read"},
		"an authority":             {gateway.FormAuthorities, "", map[string][]byte{"ca": c.Authority}, ""},
		"an authority in a value":  {gateway.FormAuthorities, "", map[string][]byte{"value": c.Authority}, ""},
		"a key as an authority":    {gateway.FormAuthorities, "", map[string][]byte{"value": c.Key}, "holds no certificate"},
		"a missing field":          {gateway.FormAuthorities, "root", map[string][]byte{"ca": c.Authority}, "looked for in the fields root"},
	} {
		t.Run(name, func(t *testing.T) {
			id := gateway.ID{Kind: gateway.KindSecret, Name: "pki"}
			tr, err := translate.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			tr = tr.WithReveal(func(gateway.ID) (gateway.Material, bool) { return gateway.NewMaterial(test.fields), true })
			use := gateway.SecretUse{ID: id, Field: test.field, Form: test.form}
			r, err := tr.Build(gateway.Inputs{Unit: use.Unit(), Gateways: []string{"edge"}, Secret: id, Field: test.field, Form: test.form, Version: "1"})
			if test.err != "" {
				wrong := (*translate.MaterialError)(nil)
				if !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "AAAA") {
					t.Fatalf("%v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			switch s := r.Message.(*tlsv3.Secret); test.form {
			case gateway.FormCertificate:
				got := s.GetTlsCertificate()
				if !bytes.HasPrefix(got.GetCertificateChain().GetInlineBytes(), c.Chain) || !bytes.Equal(got.GetPrivateKey().GetInlineBytes(), c.Key) {
					t.Errorf("the chain does not begin with the leaf, or the key is another")
				}
			case gateway.FormAuthorities:
				if got := s.GetValidationContext().GetTrustedCa().GetInlineBytes(); !bytes.Equal(got, c.Authority) {
					t.Errorf("trusted is %q", got)
				}
			}
		})
	}
}
