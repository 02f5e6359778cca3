package main

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/secrets"
)

// mesh finds who watches the identity that a Consul gives to sluice. Secrets know of Consul only what is handed to them
// here.
func (p platforms) mesh(connection string) (secrets.Watch, error) {
	c, err := catalog.Connection(p.consuls, connection)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, update func(secrets.Identity), alive func(), failed func(error)) {
		c.WatchIdentity(ctx, func(i catalog.Identity) { update(secrets.Identity(i)) }, alive, failed)
	}, nil
}

// askMeshes asks each Consul, in whose mesh the documents want to be, for what that takes.
func askMeshes(ctx context.Context, list []finding, p platforms, w *gateway.World) []finding {
	asked := map[string]bool{}
	for _, s := range w.Secrets() {
		if s.Mesh != nil {
			asked[s.Mesh.Connection] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		c, err := catalog.Connection(p.consuls, name)
		if err != nil {
			list = append(list, finding{System: "consul " + name, Check: "be a service in the mesh", Error: err.Error()})
			continue
		}
		system := "consul"
		if c.Name != "" {
			system += " " + c.Name
		}
		for _, x := range c.DoctorMesh(ctx) {
			list = append(list, newFinding(system, x))
		}
	}
	return list
}
