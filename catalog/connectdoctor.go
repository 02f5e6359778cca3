package catalog

import (
	"context"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/discovery"
)

// DoctorMesh asks for what upstreams of mesh services need: the right to be ConnectService, its leaf certificate, and the
// authorities. Consul may make a leaf to answer; nothing else stays.
func (c *Client) DoctorMesh(ctx context.Context) []discovery.Finding {
	_, err := call(ctx, c.roots)
	out := []discovery.Finding{finding("read the authorities of the mesh", err, "connect { enabled = true } in Consul's servers")}
	check := fmt.Sprintf("be the service %s in the mesh", c.cfg.ConnectService)
	// An agent that has a leaf already hands it out without asking for permission again, so the answer alone proves nothing.
	if err = c.mayBe(ctx); err == nil {
		_, err = call(ctx, c.leaf)
	}
	return append(out, finding(check, err, c.leafRule()))
}

// mayBe asks whether the token may be the service.
func (c *Client) mayBe(ctx context.Context) error {
	ctx, cancel := within(ctx)
	defer cancel()
	answer, err := c.authorize(ctx, []permission{{Resource: "service", Access: "write", Segment: c.cfg.ConnectService}})
	if err != nil {
		return fmt.Errorf("ask for permissions: %w", err)
	}
	for _, p := range answer {
		if !p.Allow {
			return errDenied
		}
	}
	return nil
}

// call makes one call that does not wait.
func call[V any](ctx context.Context, read func(*api.QueryOptions) (V, *api.QueryMeta, error)) (V, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	v, _, err := read(query(ctx))
	return v, err
}
