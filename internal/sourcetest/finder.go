package sourcetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// FinderSuite describes one finder to the tests. Its Remote has functions instead of endpoints.
type FinderSuite struct {
	// Start returns a finder whose remote answers with two functions. What it starts ends with t's cleanup.
	Start func(t *testing.T) (discovery.Finder, Remote)
	// Patience bounds each wait for what the finder has to do by itself: several of its intervals and deadlines.
	Patience time.Duration
	// Secrets are canaries that the finder is configured with. None may be in a function or an error.
	Secrets []string
}

// RunFinder runs the suite: what Run proves of sources, and that functions are sorted and whole, and that an answer
// that has not changed is a sign of life and no update.
func RunFinder(t *testing.T, s FinderSuite) {
	leaks := goleak.IgnoreCurrent()
	c := contract[*gateway.Function]{
		patience: s.Patience, secrets: s.Secrets,
		start: func(t *testing.T) (runner[*gateway.Function], Remote) { return s.Start(t) },
		alike: func(a, b []*gateway.Function) bool {
			return slices.EqualFunc(a, b, func(x, y *gateway.Function) bool { return cmp.Equal(x, y) })
		},
		check: checkFunctions,
		words: "functions",
	}
	c.run(t)
	t.Run("an unchanged answer is no update", c.steady)
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
}

// steady demands signs of life, and no update, while nothing changes.
func (c contract[E]) steady(t *testing.T) {
	source, _ := c.start(t)
	r := c.launch(t, source)
	defer r.stop(t)
	r.next(t, nil)
	deadline := time.After(c.patience)
	for alive := 0; alive < 2; {
		select {
		case w := <-r.words:
			if !w.alive {
				t.Fatalf("an update though nothing changed: %v", w.elements)
			}
			alive++
		case <-r.done:
			t.Fatalf("Run returned: %v", r.err)
		case <-deadline:
			t.Fatal("no sign of life")
		}
	}
}

// checkFunctions demands of a list what every reader of it relies on.
func checkFunctions(functions []*gateway.Function) []string {
	var faults []string
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !slices.IsSortedFunc(functions, func(a, b *gateway.Function) int { return strings.Compare(a.Name, b.Name) }) {
		say("the functions are not sorted by name")
	}
	seen := map[string]bool{}
	for _, f := range functions {
		if f.Name == "" || seen[f.Name] {
			say("the name %q is empty or there twice", f.Name)
		}
		seen[f.Name] = true
		if len(f.Summary) > 200 || strings.ContainsAny(f.Summary, "\r\n") {
			say("%s: the summary is no line of at most 200 bytes: %q", f.Name, f.Summary)
		}
		if has := [3]bool{f.REST != nil, f.GRPC != nil, f.Lambda != nil}; has !=
			[3]bool{f.Kind == gateway.FunctionREST, f.Kind == gateway.FunctionGRPC, f.Kind == gateway.FunctionLambda} {
			say("%s: what is set is not what the kind %q says", f.Name, f.Kind)
		}
		checkArguments(f, say)
	}
	return faults
}

func checkArguments(f *gateway.Function, say func(string, ...any)) {
	args := f.Signature.Args
	if !slices.IsSortedFunc(args, func(a, b gateway.Argument) int { return strings.Compare(a.Name, b.Name) }) {
		say("%s: the arguments are not sorted by name", f.Name)
	}
	seen := map[string]bool{}
	for _, a := range args {
		if a.Name == "" || seen[a.Name] {
			say("%s: the argument %q is empty or there twice", f.Name, a.Name)
		}
		seen[a.Name] = true
		switch a.In {
		case gateway.InPath, gateway.InQuery, gateway.InHeader, gateway.InBody, gateway.InWholeBody:
		default:
			say("%s: the argument %q goes to %q", f.Name, a.Name, a.In)
		}
	}
}
