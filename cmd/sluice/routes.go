package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) routesCommand() *cobra.Command {
	var gateway, host string
	c := &cobra.Command{
		Use: "routes [NAME]", Short: "The routes in force, in the order in which they decide", Args: cobra.MaximumNArgs(1),
	}
	c.Flags().StringVar(&gateway, "gateway", "", "only those of one `GATEWAY`")
	c.Flags().StringVar(&host, "host", "", "only those of one `HOST`, as it is written in documents")
	return look(a, c, func(args []string) string {
		q := url.Values{}
		if gateway != "" {
			q.Set("gateway", gateway)
		}
		if host != "" {
			q.Set("host", host)
		}
		if len(args) > 0 {
			q.Set("name", args[0])
		}
		return "/v1/routes?" + q.Encode()
	}, a.showRoutes)
}

func (a *app) showRoutes(list []console.Route) {
	rows := [][]string{{"LISTENER", "HOST", "MATCH", "ROUTE", "LEADS TO", "WRITTEN AT"}}
	for _, r := range list {
		name := r.Name
		if r.Variant != "" {
			name += " (" + r.Variant + ")"
		}
		rows = append(rows, []string{
			r.Gateway + "." + r.Listener, r.Host, r.Match.Text, name, r.Lead(), fmt.Sprintf("%s:%d", r.Range.Document, r.Range.Start.Line),
		})
	}
	a.table(rows, "No such route is in force.")
}
