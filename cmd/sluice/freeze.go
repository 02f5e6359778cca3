package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) freezeCommand() *cobra.Command {
	var f clientFlags
	var reason string
	c := clientCommand(&cobra.Command{
		Use: "freeze", Short: "Accept no change of documents and values for a while", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.act(c, f, "/v1/freeze", console.FreezeRequest{Reason: reason})
		},
	}, &f)
	c.Flags().StringVar(&reason, "reason", "", "why, for those who look at the status")
	return c
}

func (a *app) unfreezeCommand() *cobra.Command {
	var f clientFlags
	return clientCommand(&cobra.Command{
		Use: "unfreeze", Short: "Accept changes again", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.act(c, f, "/v1/freeze", console.FreezeRequest{Undo: true})
		},
	}, &f)
}
