package gateway

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Meshed is implemented by the source specs whose endpoints may be in a service mesh.
type Meshed interface {
	SourceSpec
	// Mesh says which service the endpoints are; nil where they are not in a mesh.
	Mesh() *Mesh
}

// Mesh is a service of a mesh, and by which connection one belongs to that mesh. Endpoints of it are spoken to over
// mutual TLS, with an identity that the mesh gave to sluice, and have to prove that they are this service.
type Mesh struct {
	Connection string
	Service    MeshService
}

// MeshService is a service of a mesh, by the parts of its SPIFFE name. Empty parts are those of sluice's own identity.
type MeshService struct{ Partition, Namespace, Datacenter, Service string }

// meshParts are the words before the parts of a name, in their order.
var meshParts = [...]string{"ap", "ns", "dc", "svc"}

func (s *MeshService) parts() [4]*string {
	return [4]*string{&s.Partition, &s.Namespace, &s.Datacenter, &s.Service}
}

// String is the name without its empty parts: "dc/dc2/svc/shop". Each part is escaped as in a URL.
func (s MeshService) String() string {
	var out []string
	for i, p := range s.parts() {
		if *p != "" {
			out = append(out, meshParts[i], url.PathEscape(*p))
		}
	}
	return strings.Join(out, "/")
}

// ParseMeshService is the inverse of String.
func ParseMeshService(text string) (s MeshService, err error) {
	words := strings.Split(text, "/")
	for len(words) >= 2 {
		i := slices.Index(meshParts[:], words[0])
		if i < 0 {
			break
		}
		if *s.parts()[i], err = url.PathUnescape(words[1]); err != nil {
			break
		}
		words = words[2:]
	}
	if len(words) > 0 || s.Service == "" || s.String() != text {
		return MeshService{}, fmt.Errorf("%q names no service of a mesh", text)
	}
	return s, nil
}

// In completes a name from that of an identity of the same mesh.
func (s MeshService) In(own MeshService) MeshService {
	from := own.parts()
	for i, p := range s.parts() {
		if *p == "" {
			*p = *from[i]
		}
	}
	return s
}

// meshSeparator stands between the services of a SecretUse. No escaped name holds it.
const meshSeparator = ","

// MeshSecret names the secret that is sluice's identity in the mesh of a connection. No block can have this name: it is
// wanted as soon as an upstream in force has endpoints in that mesh.
func MeshSecret(connection string) ID {
	return ID{KindSecret, "connect:" + url.QueryEscape(connection)}
}

// meshed lists what the sources of an upstream say of a mesh.
func (u *Upstream) meshed() (list []Mesh) {
	for _, s := range u.Sources {
		if spec, ok := s.Spec.(Meshed); ok {
			if m := spec.Mesh(); m != nil {
				list = append(list, *m)
			}
		}
	}
	return list
}

// MeshUses are the parts of sluice's identity in a mesh that an upstream needs: the certificate, and the authorities with
// the services that its endpoints may be. It is empty for an upstream that is in no mesh.
func (u *Upstream) MeshUses() []SecretUse {
	list := u.meshed()
	if len(list) == 0 {
		return nil
	}
	var names []string
	for _, m := range list {
		names = append(names, m.Service.String())
	}
	slices.Sort(names)
	id := MeshSecret(list[0].Connection)
	return []SecretUse{
		{ID: id, Form: FormCertificate},
		{ID: id, Field: strings.Join(slices.Compact(names), meshSeparator), Form: FormPeers},
	}
}

// MeshServices are the services that the field of a SecretUse of FormPeers names.
func MeshServices(field string) (out []MeshService, err error) {
	for _, text := range strings.Split(field, meshSeparator) {
		s, err := ParseMeshService(text)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// CheckMesh refuses what cannot be together in an upstream with endpoints in a mesh.
func (u *Upstream) CheckMesh() (diags hcl.Diagnostics) {
	list := u.meshed()
	if len(list) == 0 {
		return nil
	}
	wrong := func(at hcl.Range, format string, args ...any) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid mesh upstream", Detail: fmt.Sprintf(format, args...), Subject: &at})
	}
	for _, s := range u.Sources {
		spec, _ := s.Spec.(Meshed)
		switch {
		case spec == nil || spec.Mesh() == nil:
			wrong(s.Range, "Another source of the upstream %q has endpoints in a service mesh, which are spoken to over its mutual TLS, and this one has none. Make it an upstream of its own.", u.Name)
		case spec.Mesh().Connection != list[0].Connection:
			wrong(s.Range, "The sources of the upstream %q are in the meshes of two connections, %q and %q. An upstream has one identity: make two upstreams.", u.Name, list[0].Connection, spec.Mesh().Connection)
		}
	}
	for _, f := range u.Features {
		if f.FeatureType() == "tls" {
			wrong(f.SourceRange(), "The endpoints of the upstream %q are in a service mesh, which brings its own mutual TLS. Remove the tls block.", u.Name)
		}
		if f.FeatureType() == "proxy_protocol" {
			wrong(f.SourceRange(), "The endpoints of the upstream %q are in a service mesh, whose connections begin with its mutual TLS. Remove the proxy_protocol block.", u.Name)
		}
	}
	const unasked = "The endpoints of the upstream %q speak with members of their mesh alone, and the control plane does not ask them. %s"
	if u.OpenAPI != nil && u.OpenAPI.Path != "" {
		wrong(u.OpenAPI.Range, unasked, u.Name, "Put the document into a file, and name that.")
	}
	if u.GRPC != nil {
		wrong(u.GRPC.Range, unasked, u.Name, "Declare its functions.")
	}
	return diags
}

// installMesh notes that an upstream needs an identity; n is 1 or -1.
func (a *application) installMesh(u *Upstream, n int) {
	uses := u.MeshUses()
	if len(uses) == 0 {
		return
	}
	a.w.meshes.add(uses[0].ID, u.Name, n)
	a.meshUnits(u)
}

// meshUnits touches what carries the identity to the endpoints of an upstream.
func (a *application) meshUnits(u *Upstream) {
	for _, use := range u.MeshUses() {
		a.units[use.Unit()] = struct{}{}
	}
}

// meshCarriers are the upstreams in force that need one part of a secret, sorted.
func (w *World) meshCarriers(secret ID, part string) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(w.meshes.of(secret))) {
		u := w.upstreams.get(name)
		if u != nil && slices.ContainsFunc(u.MeshUses(), func(use SecretUse) bool { return use.part() == part }) {
			out = append(out, name)
		}
	}
	return out
}

// meshSecrets are the identities that upstreams in force need.
func (w *World) meshSecrets() map[ID]*Secret {
	out := map[ID]*Secret{}
	for id, upstreams := range w.meshes.entries() {
		for name := range upstreams {
			if u := w.upstreams.get(name); u != nil {
				for _, m := range u.meshed() {
					out[id] = &Secret{Name: id.Name, Mesh: &MeshIdentity{Connection: m.Connection}}
				}
			}
		}
	}
	return out
}
