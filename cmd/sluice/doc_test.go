package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	cliDoc = "../../docs/cli.md"
	begin  = "<!-- Made from the commands themselves: go test ./cmd/sluice -update -->\n"
)

// The page about the command line lists every command and flag, in the words of their help.
func TestDocumentedCommandsAreTheCommands(t *testing.T) {
	raw, err := os.ReadFile(cliDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, have, ok := strings.Cut(string(raw), begin)
	if !ok {
		t.Fatalf("%s lacks the line %q", cliDoc, begin)
	}
	var b strings.Builder
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard, env: func(string) string { return "" }}
	describe(&b, a.command())
	want := "\n" + strings.TrimRight(b.String(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(cliDoc, []byte(head+begin+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("run go test ./cmd/sluice -update (-want +got):\n%s", diff)
	}
}

// describe writes a section for every command that does something.
func describe(b *strings.Builder, c *cobra.Command) {
	if c.HasParent() && !c.HasSubCommands() {
		fmt.Fprintf(b, "### %s\n\n", c.CommandPath())
		long := c.Long
		if long == "" {
			long = c.Short + "."
		}
		fmt.Fprintf(b, "`%s`\n\n%s\n\n", c.UseLine(), strings.ReplaceAll(long, "\n", " "))
		var rows []string
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				rows = append(rows, flagRow(f))
			}
		})
		if len(rows) > 0 {
			fmt.Fprintf(b, "| flag | meaning |\n|---|---|\n%s\n", strings.Join(rows, ""))
		}
	}
	for _, sub := range c.Commands() {
		describe(b, sub)
	}
}

func flagRow(f *pflag.Flag) string {
	value, usage := pflag.UnquoteUsage(f)
	name := "-" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if value != "" {
		name += " " + value
	}
	if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "[]" && d != "0s" {
		usage += " (default " + d + ")"
	}
	return fmt.Sprintf("| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"))
}
