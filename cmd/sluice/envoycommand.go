package main

import "github.com/spf13/cobra"

func (a *app) envoyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "envoy", Short: "Run an Envoy, or print what it starts with", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.envoyRunCommand(), a.envoyBootstrapCommand())
	return c
}
