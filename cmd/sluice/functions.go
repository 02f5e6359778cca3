package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/hcl"
)

func (a *app) functionsCommand() *cobra.Command {
	var requestTime bool
	c := &cobra.Command{
		Use: "functions [UPSTREAM]", Short: "The functions behind the upstreams, and who calls them", Args: cobra.MaximumNArgs(1),
		Long: "The functions behind the upstreams: what each takes, what found it and how long ago, and which blocks call it.\n" +
			"Names are as documents may write them, and what is long is cut: -json has all of it.\n" +
			"With -request-time: the functions of the language that expressions over a request may use.",
	}
	look(a, c, func(args []string) string {
		if len(args) == 0 {
			return "/v1/functions"
		}
		return "/v1/functions?upstream=" + url.QueryEscape(args[0])
	}, a.showFunctions)
	ask := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if !requestTime {
			return ask(c, args)
		}
		if asJSON, _ := c.Flags().GetBool("json"); asJSON {
			return a.printJSON(hcl.RequestTimeFunctions())
		}
		for _, name := range hcl.RequestTimeFunctions() {
			fmt.Fprintln(a.out, name)
		}
		return nil
	}
	c.Flags().BoolVar(&requestTime, "request-time", false, "list the language's functions for requests instead")
	return c
}

func (a *app) showFunctions(list []console.Function) {
	rows := [][]string{{"FUNCTION", "KIND", "STATE", "TAKES", "SOURCE", "ANSWERED", "CALLED BY"}}
	for _, f := range list {
		address, source, answered := f.Address, "", ""
		if f.Short != "" {
			address = f.Short
		}
		if f.Source != "" {
			_, query, _ := strings.Cut(f.Source, "/")
			source, _, _ = strings.Cut(query, ":")
			answered = ago(f.Age)
		}
		if f.State == "declared" {
			source = f.Block
		}
		rows = append(rows, []string{address, f.Kind, f.State, cut(f.Signature, 42), source, answered, strings.Join(f.Callers, " ")})
	}
	a.table(rows, "No upstream in force has functions.")
}
