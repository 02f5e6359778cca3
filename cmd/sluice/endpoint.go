package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
)

func (a *app) endpointCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "endpoint", Short: "Take single endpoints out", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.drainCommand())
	return c
}

func (a *app) drainCommand() *cobra.Command {
	var o operation
	var undo bool
	c := o.command(&cobra.Command{
		Use: "drain ADDRESS:PORT", Short: "Take an endpoint out, for everyone, until undone", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			addr := args[0]
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return usage("address %q: give ADDRESS:PORT, as sluice upstreams lists it", addr)
			}
			done := addr + " takes no new traffic until undone"
			if undo {
				done = addr + " takes traffic again"
			}
			return a.operate(c, o, "/v1/drain", console.DrainRequest{Address: addr, Undo: undo}, func(ctx context.Context, kv *catalog.Client) error {
				if undo {
					return kv.ClearDrain(ctx, addr)
				}
				return kv.SetDrain(ctx, addr, "drained by "+holder())
			}, done+a.unlessKnown(c.Context(), o.clientFlags, addr))
		},
	})
	c.Flags().BoolVar(&undo, "undo", false, "put it back")
	return c
}

// unlessKnown is a remark on an address that no upstream has: it may be mistyped.
func (a *app) unlessKnown(ctx context.Context, f clientFlags, address string) string {
	cl, err := a.client(f)
	var list []console.Upstream
	if err != nil || cl.get(ctx, "/v1/upstreams", &list) != nil {
		return "" // the command itself says why
	}
	for _, u := range list {
		for _, e := range u.Endpoints {
			if e.Address == address {
				return ""
			}
		}
	}
	return "; no upstream has that address now"
}

// operation has the flags of what an operator changes on all replicas.
type operation struct {
	clientFlags
	kvFlags
}

func (o *operation) command(c *cobra.Command) *cobra.Command {
	o.kvFlags.add(c)
	return clientCommand(c, &o.clientFlags)
}

// operate does something on all replicas: in Consul, with the token of whoever runs this, where the documents are there;
// through the API of the one server otherwise.
func (a *app) operate(c *cobra.Command, o operation, path string, body any, direct func(context.Context, *catalog.Client) error, words string) error {
	cl, err := a.client(o.clientFlags)
	if err != nil {
		return err
	}
	var status console.Status
	if err := cl.get(c.Context(), "/v1/status", &status); err != nil {
		return err
	}
	done := console.Done{Text: words}
	if status.Origin == "consul" {
		kv, err := a.consul(o.kvFlags)
		if err != nil {
			return err
		}
		defer kv.Close()
		if err := direct(c.Context(), kv); err != nil {
			return err
		}
	} else if err := cl.post(c.Context(), path, body, &done); err != nil {
		return err
	}
	if o.json {
		return a.printJSON(done)
	}
	fmt.Fprintln(a.out, done.Text)
	return nil
}
