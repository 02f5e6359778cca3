package translate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// meshSpec is a source of a service in a mesh.
type meshSpec struct{ mesh gateway.Mesh }

func (s meshSpec) SourceKey() gateway.SourceKey {
	return gateway.SourceKey{Kind: "mesh", Query: s.mesh.Service.String()}
}

func (s meshSpec) Mesh() *gateway.Mesh { return &s.mesh }

func meshUpstream(services ...gateway.MeshService) *gateway.Upstream {
	u := &gateway.Upstream{Name: "shop"}
	for _, s := range services {
		u.Sources = append(u.Sources, &gateway.Source{Spec: meshSpec{gateway.Mesh{Connection: "main", Service: s}}})
	}
	return u
}

// TestWhomAMeshUpstreamAccepts builds the authorities with the names of services, and nothing without.
func TestWhomAMeshUpstreamAccepts(t *testing.T) {
	c := featuretest.TheCertificates()
	const domain = "11111111-2222-3333-4444-555555555555.consul"
	shop := gateway.MeshService{Service: "shop"}
	for name, test := range map[string]struct {
		services []gateway.MeshService
		fields   map[string][]byte
		want     []string
		err      string
	}{
		"one service": {
			[]gateway.MeshService{shop},
			map[string][]byte{"ca": c.Authority, "name": []byte("spiffe://" + domain + "/ns/default/dc/dc1/svc/sluice")},
			[]string{"spiffe://" + domain + "/ns/default/dc/dc1/svc/shop"}, "",
		},
		"and in another datacenter": {
			[]gateway.MeshService{shop, {Datacenter: "dc2", Service: "shop"}},
			map[string][]byte{"ca": c.Authority, "name": []byte("spiffe://" + domain + "/ns/default/dc/dc1/svc/sluice")},
			[]string{"spiffe://" + domain + "/ns/default/dc/dc2/svc/shop", "spiffe://" + domain + "/ns/default/dc/dc1/svc/shop"}, "",
		},
		"from another partition": {
			[]gateway.MeshService{shop, {Partition: "default", Namespace: "x", Service: "bank"}},
			map[string][]byte{"ca": c.Authority, "name": []byte("spiffe://" + domain + "/ap/eu/ns/team/dc/dc1/svc/sluice")},
			[]string{"spiffe://" + domain + "/ns/x/dc/dc1/svc/bank", "spiffe://" + domain + "/ap/eu/ns/team/dc/dc1/svc/shop"}, "",
		},
		"nameless": {
			[]gateway.MeshService{shop}, map[string][]byte{"ca": c.Authority}, nil, "has no name of a service",
		},
		"a strange name": {
			[]gateway.MeshService{shop}, map[string][]byte{"ca": c.Authority, "name": []byte("spiffe://" + domain + "/gateway/mesh/dc/dc1")}, nil, "has no name of a service",
		},
		"no authority": {
			[]gateway.MeshService{shop}, map[string][]byte{"name": []byte("spiffe://" + domain + "/ns/default/dc/dc1/svc/sluice")}, nil, "holds no certificate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			use := meshUpstream(test.services...).MeshUses()[1]
			tr := translator(t).WithReveal(func(gateway.ID) (gateway.Material, bool) { return gateway.NewMaterial(test.fields), true })
			r, err := tr.Build(gateway.Inputs{Unit: use.Unit(), Gateways: []string{"edge"}, Secret: use.ID, Field: use.Field, Form: use.Form, Version: "1"})
			if test.err != "" {
				wrong := (*translate.MaterialError)(nil)
				if !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("%v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			rule := r.Message.(*tlsv3.Secret).GetValidationContext()
			var got []string
			for _, m := range rule.GetMatchTypedSubjectAltNames() {
				if m.GetSanType() != tlsv3.SubjectAltNameMatcher_URI {
					t.Errorf("%v is not about a URI", m)
				}
				got = append(got, m.GetMatcher().GetExact())
			}
			if !slices.Equal(got, test.want) || len(rule.GetTrustedCa().GetInlineBytes()) == 0 {
				t.Errorf("it accepts %q, want %q", got, test.want)
			}
		})
	}
}

// TestTheClusterOfAMeshUpstream names its secrets, needs them, and is the same in every mesh.
func TestTheClusterOfAMeshUpstream(t *testing.T) {
	u := meshUpstream(gateway.MeshService{Service: "shop"})
	r, err := translator(t).Build(gateway.Inputs{Unit: gateway.Unit{Type: gateway.UnitCluster, Name: "shop"}, Gateways: []string{"edge"}, Upstream: u})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Message.(*clusterv3.Cluster)
	config := &tlsv3.UpstreamTlsContext{}
	if err := c.GetTransportSocket().GetTypedConfig().UnmarshalTo(config); err != nil {
		t.Fatal(err)
	}
	common := config.GetCommonTlsContext()
	named := []string{
		common.GetTlsCertificateSdsSecretConfigs()[0].GetName(),
		common.GetCombinedValidationContext().GetValidationContextSdsSecretConfig().GetName(),
	}
	for i, use := range u.MeshUses() {
		key := translate.KeyOf(use.Unit())
		if named[i] != key.Name || !slices.Contains(r.Needs, key) {
			t.Errorf("it names %q and needs %v, not %v", named, r.Needs, key)
		}
	}
}
