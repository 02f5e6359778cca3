package main

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

type testFlags struct {
	json, verbose bool
	documents     []string
	world, run    string
}

// testReport is what `sluice test -json` prints.
type testReport struct {
	Passed    int          `json:"passed"`
	Failed    int          `json:"failed"`
	NotPlayed []string     `json:"not_played"` // features of the destinations that tests say nothing of
	Tests     []testResult `json:"tests"`
}

// testResult is the outcome of one test.
type testResult struct {
	Name         string    `json:"name"`
	File         string    `json:"file"`
	Line         int       `json:"line"`
	OK           bool      `json:"ok"`
	Destinations []string  `json:"destinations"` // where the request went
	Kept         string    `json:"kept"`         // by what a sticky route keeps the request there; empty where it does not
	Failures     []failure `json:"failures"`
}

func (a *app) testCommand() *cobra.Command {
	var f testFlags
	c := &cobra.Command{
		Use: "test PATH…", Short: "Run the tests of documents, offline",
		Long: "Run the test blocks of *.test.hcl files, at the given paths or below them, against the documents beside them,\n" +
			"without any server: a request goes in, and its route, the request that the upstream gets and the response that\n" +
			"the client gets are compared with what the test expects. What functions answer stands in the tests. Exit code 1\n" +
			"says that a test has failed, or that tests or documents are wrong. docs/testing.md shows what a test holds.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.test(args, f) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "also list the tests that pass")
	c.Flags().StringVar(&f.run, "run", "", "only tests whose names match the `REGEX`")
	c.Flags().StringArrayVar(&f.documents, "documents", nil, "test the documents at `PATH` (repeatable; default: the folder of each test file)")
	c.Flags().StringVar(&f.world, "world", "", "what is live besides, functions too, from `FILE`, printed by sluice world")
	return c
}

func (a *app) test(paths []string, f testFlags) error {
	only, err := regexp.Compile(f.run)
	if err != nil {
		return usage("-run is no regular expression: %w", err)
	}
	files, err := readMatching(paths, isTest)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usage("%w", errNoTests)
	}
	t := &testPass{app: a, flags: f, only: only, worlds: map[string]*offline{}, texts: map[string][]byte{}, idle: map[string]bool{}}
	for _, file := range files {
		if err := t.file(file); err != nil {
			return err
		}
	}
	return t.report()
}

// testPass is one run of the command.
type testPass struct {
	*app
	flags  testFlags
	only   *regexp.Regexp
	worlds map[string]*offline // by the folder of the tests; all share one where -documents says which documents
	texts  map[string][]byte
	idle   map[string]bool // features that are in force and not played
	result testReport
	diags  hclv2.Diagnostics // of tests and documents
}

func (t *testPass) file(f file) error {
	t.texts[f.name] = f.text
	tests, diags := parseTests(f)
	t.diags = append(t.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	w, err := t.worldOf(filepath.Dir(filepath.FromSlash(f.name)))
	if err != nil {
		return err
	}
	for _, b := range tests {
		if t.only.MatchString(b.Name) {
			t.one(b, w)
		}
	}
	return nil
}

// worldOf is the world that the tests of a folder run in.
func (t *testPass) worldOf(folder string) (*offline, error) {
	paths := t.flags.documents
	if len(paths) > 0 {
		folder = ""
	} else {
		paths = []string{folder}
	}
	if w := t.worlds[folder]; w != nil {
		return w, nil
	}
	w, err := t.offline(paths, t.flags.world)
	if err != nil {
		return nil, err
	}
	t.worlds[folder] = w
	maps.Copy(t.texts, w.texts)
	t.diags = append(t.diags, w.mistakes()...)
	return w, nil
}

func (t *testPass) one(b *testBlock, w *offline) {
	r := &testRun{offline: w, t: b}
	r.run()
	for _, f := range r.idle {
		t.idle[f] = true
	}
	t.diags = append(t.diags, r.diags...)
	slices.SortStableFunc(r.failed, func(a, b failure) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Line, b.Line))
	})
	res := testResult{
		Name: b.Name, File: b.Range.Filename, Line: b.Range.Start.Line, OK: len(r.failed) == 0 && !r.diags.HasErrors(),
		Destinations: console.OrEmpty(r.where), Kept: r.kept, Failures: console.OrEmpty(r.failed),
	}
	if res.OK {
		t.result.Passed++
	} else {
		t.result.Failed++
	}
	t.result.Tests = append(t.result.Tests, res)
}

func (t *testPass) report() error {
	t.diagnose(t.diags, t.texts)
	t.result.NotPlayed, t.result.Tests = console.OrEmpty(slices.Sorted(maps.Keys(t.idle))), console.OrEmpty(t.result.Tests)
	if t.flags.json {
		if err := t.printJSON(t.result); err != nil {
			return err
		}
	} else {
		for _, r := range t.result.Tests {
			t.show(r)
		}
		fmt.Fprintf(t.out, "%d passed, %d failed.\n", t.result.Passed, t.result.Failed)
		if list := t.result.NotPlayed; len(list) > 0 {
			fmt.Fprintf(t.out, "Not played, though in force on the way: %s.\n", strings.Join(list, ", "))
		}
	}
	if t.result.Failed > 0 || t.diags.HasErrors() {
		return wrong()
	}
	return nil
}

func (t *testPass) show(r testResult) {
	if r.OK {
		if t.flags.verbose {
			kept := ""
			if r.Kept != "" {
				kept = ", kept by the " + r.Kept
			}
			fmt.Fprintf(t.out, "%s %s → %s%s\n", t.paint(green, "✓"), r.Name, strings.Join(r.Destinations, ", "), kept)
		}
		return
	}
	fmt.Fprintf(t.out, "%s %s (%s:%d)\n", t.paint(red, "✗"), r.Name, r.File, r.Line)
	for _, f := range r.Failures {
		where := ""
		if f.Destination != "" && len(r.Destinations) > 1 {
			where = f.Destination + ": "
		}
		fmt.Fprintf(t.out, "    %s:%d: %s%s\n", f.File, f.Line, where, f.Text)
		for l := range strings.Lines(f.Diff) {
			fmt.Fprintf(t.out, "      %s\n", strings.TrimSuffix(l, "\n"))
		}
	}
}
