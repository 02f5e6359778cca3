package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) secretsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "secrets", Short: "The secrets that blocks use, and when they expire", Args: cobra.NoArgs,
		Long: "The secrets that blocks in force use: where each comes from, how it is doing, and when it expires. What they hold\nis never shown.",
	}
	return look(a, c, func([]string) string { return "/v1/secrets" }, a.showSecrets)
}

func (a *app) showSecrets(list []console.Secret) {
	rows := [][]string{{"SECRET", "STATE", "SOURCE", "WHICH", "ANSWERED", "EXPIRES", "USED BY", "ERROR"}}
	for _, s := range list {
		expires := s.Expires
		if expires == "" {
			expires = "never"
		}
		rows = append(rows, []string{s.Name, s.State, s.Source, s.Note, ago(s.Age), expires, strings.Join(s.UsedBy, " "), s.Error})
	}
	a.table(rows, "No block in force uses a secret.")
	a.showUnusable(list)
}

// showUnusable says of secrets that are there and not what their users need: what is wrong, for whom, and what to do.
func (a *app) showUnusable(list []console.Secret) {
	for _, s := range list {
		for _, u := range s.Unusable {
			fmt.Fprintf(a.out, "\n%s %s\n", a.paint(red, "Unusable secret:"), u.Problem)
			for _, use := range u.Uses {
				fmt.Fprintf(a.out, "  needed by %s at %s:%d\n", use.Block, use.Range.Document, use.Range.Start.Line)
			}
			fmt.Fprintf(a.out, "  comes from %s\n  %s The Envoys keep what they have until then.\n", s.Source, u.Remedy)
		}
	}
}
