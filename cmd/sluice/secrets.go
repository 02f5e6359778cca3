package main

import (
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
}
