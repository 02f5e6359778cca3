package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// app is what every command has at hand.
type app struct {
	in        io.Reader
	out, errs io.Writer
	env       func(string) string
	noColor   bool
	self      string // as it was called, for examples that can be copied
}

// The exit codes of every command; docs/cli.md says where a command has more.
const (
	codeFine      = 0
	codeDocuments = 1 // the user's documents are wrong
	codeWorld     = 2 // something is unreachable, refused or timed out
	codeUsage     = 3
)

// exit is an error that carries an exit code. Without a text, all has been said already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &exit{codeUsage, fmt.Errorf(format, args...)} }

// wrong says that the documents are at fault, and that the reasons have been printed.
func wrong() error { return &exit{code: codeDocuments} }

// command builds the tree of commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "A function gateway for the HashiCorp stack",
		Long:          "sluice finds services and functions wherever they run, reads routes from HCL documents in files or in\nConsul's key-value store, and drives the Envoys at the edge.",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().BoolVar(&a.noColor, "no-color", false, "print without colours (also $NO_COLOR)")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "write", Title: "Write documents:"},
		&cobra.Group{ID: "live", Title: "Change what is live:"},
		&cobra.Group{ID: "look", Title: "Look:"},
	)
	group := func(id string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("run", a.devCommand(), a.serverCommand(), a.envoyCommand())
	group("write", a.validateCommand(), a.fmtCommand(), a.testCommand(), a.evalCommand())
	group("live", a.planCommand(), a.applyCommand(), a.pullCommand(), a.historyCommand(), a.rollbackCommand(),
		a.freezeCommand(), a.unfreezeCommand(), a.endpointCommand())
	group("look", a.statusCommand(), a.routesCommand(), a.functionsCommand(), a.upstreamsCommand(), a.secretsCommand(), a.nodesCommand(), a.eventsCommand(),
		a.explainCommand(), a.openapiCommand(), a.worldCommand(), a.discoverCommand(), a.doctorCommand())
	root.AddCommand(a.completionCommand(root), a.manCommand(root), a.versionCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exit{codeUsage, err} })
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		fmt.Fprintf(c.OutOrStdout(), "%s\n\n%s", strings.TrimSpace(cmp.Or(c.Long, c.Short)), singleDash(c.UsageString()))
	})
	finish(root)
	return root
}

// finish gives every command what all have: usage errors with their code, and failures of the world with theirs.
func finish(c *cobra.Command) {
	c.DisableFlagsInUseLine = true
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, list []string) error {
			if err := args(c, list); err != nil {
				if !c.HasParent() {
					return &exit{codeUsage, err} // an unknown command
				}
				return usage("write it as: sluice %s", useOf(c))
			}
			return nil
		}
	}
	if work := c.RunE; work != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			err := work(c, args)
			if coded := (*exit)(nil); err == nil || errors.As(err, &coded) {
				return err
			}
			return &exit{codeWorld, err}
		}
	}
	for _, sub := range c.Commands() {
		finish(sub)
	}
}

// useOf is how a command is written, without "sluice".
func useOf(c *cobra.Command) string {
	use := c.Use
	for p := c.Parent(); p != nil && p.HasParent(); p = p.Parent() {
		use = p.Name() + " " + use
	}
	return use
}

// report prints an error and returns its exit code.
func (a *app) report(err error) int {
	if err == nil {
		return codeFine
	}
	code := codeUsage // what cobra itself finds
	if coded := (*exit)(nil); errors.As(err, &coded) {
		code = coded.code
		if coded.err == nil {
			return code
		}
	}
	fmt.Fprintln(a.errs, a.paint(red, "Error: ")+err.Error())
	if code == codeUsage {
		fmt.Fprintln(a.errs, "\nsluice COMMAND -help says more.")
	}
	return code
}

var twoDashes = regexp.MustCompile(`(?m)^( +(?:-\w, )?)--`)

// singleDash writes the flags of a help text as the neighbours do.
func singleDash(text string) string { return twoDashes.ReplaceAllString(text, "$1-") }

var oneDash = regexp.MustCompile(`^-[a-z][a-z-]*[a-z](=.*)?$`)

// longFlags makes "-json" of "--json", as the neighbours' tools have it. Flags of one letter stay as they are, and so
// does what follows "--".
func longFlags(args []string) []string {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		return args
	}
	out := slices.Clone(args)
	for i, arg := range out {
		if arg == "--" {
			break
		}
		if oneDash.MatchString(arg) {
			out[i] = "-" + arg
		}
	}
	return out
}

// The colours of terminals.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
)

// paint colours text where that is wanted and seen.
func (a *app) paint(colour, text string) string {
	if !a.colours() {
		return text
	}
	return colour + text + "\x1b[0m"
}

// colours says whether both outputs are a terminal and nobody minds.
func (a *app) colours() bool {
	return !a.noColor && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb" && isTerminal(a.out) && isTerminal(a.errs)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
