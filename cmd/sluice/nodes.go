package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) nodesCommand() *cobra.Command {
	c := &cobra.Command{Use: "nodes", Short: "The connected Envoys", Args: cobra.NoArgs}
	return look(a, c, func([]string) string { return "/v1/nodes" }, a.showNodes)
}

func (a *app) showNodes(list []console.Node) {
	rows := [][]string{{"NODE", "GATEWAY", "ENVOY", "ADDRESS", "CONNECTED", "STATE"}}
	for _, n := range list {
		state := "current"
		switch {
		case len(n.Lacks) > 0:
			state = "not sent: " + strings.Join(n.Lacks, ", ")
		case n.Unknown:
			state = "no document has its gateway"
		case n.LastNack != "":
			state = "refused: " + n.LastNack
		case n.InFlight > 0 || n.Waiting > 0:
			state = fmt.Sprintf("%d unanswered, %d waiting", n.InFlight, n.Waiting)
		}
		rows = append(rows, []string{n.ID, n.Gateway, n.Version, n.Address, ago(time.Since(n.Since).Seconds()), state})
	}
	a.table(rows, "No Envoy is connected.")
}
