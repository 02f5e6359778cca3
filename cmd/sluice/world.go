package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) worldCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "world", Short: "Print the live world for offline checks", Args: cobra.NoArgs,
		Long: "Print the documents and values in force, and the functions that were found, as JSON, for sluice validate -world FILE.\n" +
			"What env() and file() read is left out, and endpoints are.",
	}
	return look(a, c, func([]string) string { return "/v1/world" }, func(d console.WorldDump) { _ = a.printJSON(d) })
}
