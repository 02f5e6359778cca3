package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages into a directory", Args: cobra.ExactArgs(1),
		Long: "Write a manual page for each command, of section 1, into a directory, for those who make packages.",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make a directory for manual pages: %w", err)
			}
			return writeManuals(args[0], root)
		},
	}
}

// writeManuals writes the page of a command, and those of its sub-commands.
func writeManuals(dir string, c *cobra.Command) error {
	if c.Hidden || !c.IsAvailableCommand() && c.HasParent() {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, pageOf(c)+".1"), []byte(manual(c)), 0o644); err != nil {
		return fmt.Errorf("write the manual page of %s: %w", c.CommandPath(), err)
	}
	for _, sub := range c.Commands() {
		if err := writeManuals(dir, sub); err != nil {
			return err
		}
	}
	return nil
}

// pageOf is how a command's manual page is called.
func pageOf(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manual is the page of a command in troff's man macros.
func manual(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"sluice %s\" \"sluice\"\n", roff(strings.ToUpper(pageOf(c))), roff(version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(pageOf(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roff(cmp.Or(c.Long, c.Short+".")))
	if list := flagList(c.LocalFlags()); list != "" {
		fmt.Fprintf(&b, ".SH OPTIONS\n%s", list)
	}
	if list := flagList(c.InheritedFlags()); list != "" {
		fmt.Fprintf(&b, ".SH OPTIONS OF ALL COMMANDS\n%s", list)
	}
	b.WriteString(".SH EXIT STATUS\n0 when all is well, 1 when documents or configuration are wrong, 2 when something is unreachable, refused or\n" +
		"late, 3 when the command line is wrong.\n")
	if others := neighbours(c); len(others) > 0 {
		fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", strings.Join(others, ",\n"))
	}
	return b.String()
}

func flagList(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR", roff("-"+f.Name))
		if value != "" {
			fmt.Fprintf(&b, " \\fI%s\\fR", roff(value))
		}
		fmt.Fprintf(&b, "\n%s\n", roff(usage))
	})
	return b.String()
}

// neighbours refers to the pages above and below a command.
func neighbours(c *cobra.Command) (pages []string) {
	if c.HasParent() {
		pages = append(pages, pageReference(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			pages = append(pages, pageReference(sub))
		}
	}
	return pages
}

func pageReference(c *cobra.Command) string { return `\fB` + roff(pageOf(c)) + `\fR(1)` }

// roff writes text so that troff reads none of it as a command.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(strings.TrimSpace(text))
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
