package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
)

func (a *app) freezeCommand() *cobra.Command {
	var o operation
	var reason string
	c := o.command(&cobra.Command{
		Use: "freeze", Short: "Accept no change of documents and values for a while", Args: cobra.NoArgs,
		Long: "Accept no change of documents and values, on all replicas, until sluice unfreeze. What is written meanwhile waits;\nendpoints and their health go on.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c, o, "/v1/freeze", console.FreezeRequest{Reason: reason}, func(ctx context.Context, kv *catalog.Client) error {
				return kv.SetFreeze(ctx, reason)
			}, "no change of documents or values is accepted until unfreeze")
		},
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for those who look at the status")
	return c
}

func (a *app) unfreezeCommand() *cobra.Command {
	var o operation
	return o.command(&cobra.Command{
		Use: "unfreeze", Short: "Accept changes again", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c, o, "/v1/freeze", console.FreezeRequest{Undo: true}, func(ctx context.Context, kv *catalog.Client) error {
				return kv.ClearFreeze(ctx)
			}, "changes are accepted again")
		},
	})
}
