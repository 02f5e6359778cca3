package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) endpointCommand() *cobra.Command {
	c := &cobra.Command{Use: "endpoint", Short: "Take single endpoints out", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(a.drainCommand())
	return c
}

func (a *app) drainCommand() *cobra.Command {
	var f clientFlags
	var undo bool
	c := clientCommand(&cobra.Command{
		Use: "drain ADDRESS:PORT", Short: "Take an endpoint out, for everyone, until undone", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.act(c, f, "/v1/drain", console.DrainRequest{Address: args[0], Undo: undo})
		},
	}, &f)
	c.Flags().BoolVar(&undo, "undo", false, "put it back")
	return c
}

// act sends an action and prints what was done.
func (a *app) act(c *cobra.Command, f clientFlags, path string, body any) error {
	cl, err := a.client(f)
	if err != nil {
		return err
	}
	var done console.Done
	if err := cl.post(c.Context(), path, body, &done); err != nil {
		return err
	}
	if f.json {
		return a.printJSON(done)
	}
	fmt.Fprintln(a.out, done.Text)
	return nil
}
