package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
)

func (a *app) rollbackCommand() *cobra.Command {
	var f applyFlags
	var to uint64
	c := clientCommand(&cobra.Command{
		Use: "rollback DOCUMENT -to VERSION", Short: "Put an earlier version of a document back", Args: cobra.ExactArgs(1),
		Long: "Put an earlier version of a document back, as sluice history numbers them: show what that changes, write it and\nwait for the Envoys, as sluice apply does.",
		RunE: func(c *cobra.Command, args []string) error {
			if to == 0 {
				return usage("-to says which version; sluice history %s lists them", args[0])
			}
			return a.rollback(c.Context(), documentKey(args[0]), to, f)
		},
	}, &f.clientFlags)
	f.kvFlags.add(c)
	addWriteFlags(c, &f)
	c.Flags().Uint64Var(&to, "to", 0, "`VERSION` to put back")
	return c
}

func (a *app) rollback(ctx context.Context, key string, to uint64, f applyFlags) error {
	cl, err := a.client(f.clientFlags)
	if err != nil {
		return err
	}
	kv, err := a.consul(f.kvFlags)
	if err != nil {
		return err
	}
	defer kv.Close()
	change, err := kv.Rollback(ctx, key, to)
	if err != nil {
		return err
	}
	name, text := catalog.DocumentName(key), string(change.Value)
	var plan console.Plan
	req := console.PlanRequest{Documents: []console.PlanDocument{{Name: name, Text: &text}}}
	if err := cl.post(ctx, "/v1/plan", req, &plan); err != nil {
		return err
	}
	if !f.json {
		a.showPlan(plan, map[string][]byte{name: change.Value})
	}
	if plan.Errors {
		return wrong()
	}
	return a.write(ctx, cl, kv, []catalog.KVChange{change}, f)
}
