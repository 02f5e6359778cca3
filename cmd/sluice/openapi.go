package main

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) openapiCommand() *cobra.Command {
	var f clientFlags
	var gateway, host, world string
	var documents []string
	c := &cobra.Command{
		Use: "openapi -gateway NAME", Short: "Print the API that clients see as an OpenAPI document", Args: cobra.NoArgs,
		Long: "Print the API that the clients of a gateway see as one OpenAPI 3.1 document, whatever answers behind it. Its\n" +
			"parameters, bodies and answers have the types of the functions that its routes call. With -documents nothing is\n" +
			"asked: the documents at the paths are the world.",
		RunE: func(c *cobra.Command, _ []string) error {
			if gateway == "" {
				return usage("-gateway says whose API")
			}
			if len(documents) > 0 {
				return a.offlineAPI(documents, world, gateway, host)
			}
			if world != "" {
				return usage("-world goes with -documents")
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
	c.Flags().StringArrayVar(&documents, "documents", nil, "the API of the documents at `PATH`, offline (repeatable)")
	c.Flags().StringVar(&world, "world", "", "with -documents: what is live besides, functions too, from `FILE`, printed by sluice world")
	return c
}

// offlineAPI prints the API of documents on disk.
func (a *app) offlineAPI(documents []string, world, gateway, host string) error {
	off, err := a.offline(documents, world)
	if err != nil {
		return err
	}
	if bad := off.mistakes(); len(bad) > 0 {
		a.diagnose(bad, off.texts)
		return wrong()
	}
	doc, err := console.OpenAPI(off.world, gateway, host, "")
	if err != nil {
		return &exit{codeDocuments, err}
	}
	return a.printJSON(doc)
}
