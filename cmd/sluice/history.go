package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
)

// documentKey is the key below routes/ of a document that a user names: by its key or its name.
func documentKey(arg string) string {
	if key, ok := catalog.DocumentKey(arg); ok {
		return key
	}
	return strings.TrimPrefix(arg, "/")
}

func (a *app) historyCommand() *cobra.Command {
	var f kvFlags
	var show uint64
	var asJSON bool
	c := &cobra.Command{
		Use: "history DOCUMENT", Short: "Earlier versions of a document in Consul", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			kv, err := a.consul(f)
			if err != nil {
				return err
			}
			defer kv.Close()
			versions, err := kv.History(c.Context(), documentKey(args[0]))
			if err != nil {
				return err
			}
			return a.showHistory(args[0], versions, show, asJSON)
		},
	}
	f.add(c)
	c.Flags().Uint64Var(&show, "show", 0, "print the text of `VERSION`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// pastVersion is what `sluice history -json` prints of each version.
type pastVersion struct {
	Version uint64 `json:"version"`
	Text    string `json:"text"`
}

func (a *app) showHistory(name string, versions []catalog.Version, show uint64, asJSON bool) error {
	if len(versions) == 0 {
		return fmt.Errorf("there is no history of %s", name)
	}
	if show != 0 {
		for _, v := range versions {
			if v.N == show {
				_, err := a.out.Write(v.Text)
				return err
			}
		}
		return usage("%s has no version %d", name, show)
	}
	if asJSON {
		out := []pastVersion{}
		for _, v := range versions {
			out = append(out, pastVersion{v.N, string(v.Text)})
		}
		return a.printJSON(out)
	}
	rows := [][]string{{"VERSION", "LINES", "AGAINST THE ONE BEFORE"}}
	for i, v := range versions {
		change := "first"
		if i+1 < len(versions) {
			added, gone := 0, 0
			for _, l := range diffLines(lines(string(versions[i+1].Text)), lines(string(v.Text))) {
				switch l.mark {
				case '+':
					added++
				case '-':
					gone++
				}
			}
			change = fmt.Sprintf("+%d -%d", added, gone)
		}
		rows = append(rows, []string{fmt.Sprint(v.N), fmt.Sprint(bytes.Count(v.Text, []byte{'\n'})), change})
	}
	a.table(rows, "")
	return nil
}
