package main

import (
	"net/url"

	"github.com/spf13/cobra"
)

func (a *app) openapiCommand() *cobra.Command {
	var f clientFlags
	var gateway, host string
	c := &cobra.Command{
		Use: "openapi -gateway NAME", Short: "Print the API that clients see as an OpenAPI document", Args: cobra.NoArgs,
		Long: "Print the API that the clients of a gateway see as one OpenAPI 3.1 document, whatever answers behind it. Its\n" +
			"parameters, bodies and answers have the types of the functions that its routes call.",
		RunE: func(c *cobra.Command, _ []string) error {
			if gateway == "" {
				return usage("-gateway says whose API")
			}
			cl, err := a.client(f)
			if err != nil {
				return err
			}
			var doc map[string]any
			q := url.Values{"gateway": {gateway}}
			if host != "" {
				q.Set("host", host)
			}
			if err := cl.get(c.Context(), "/v1/openapi?"+q.Encode(), &doc); err != nil {
				return err
			}
			return a.printJSON(doc)
		},
	}
	clientCommand(c, &f)
	c.Flags().StringVar(&gateway, "gateway", "", "the gateway's `NAME`")
	c.Flags().StringVar(&host, "host", "", "only the routes of this `HOST`")
	return c
}
