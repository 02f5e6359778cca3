package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

var key = &testenv.AWSKey{ID: "AKIACANARY", Secret: "canary-secret", Session: "canary-session"}

func material(gateway.ID) (gateway.Material, bool) {
	return gateway.NewMaterial(map[string][]byte{
		"access_key": []byte(key.ID), "secret_key": []byte(key.Secret), "security_token": []byte(key.Session),
	}), true
}

// hasty are options with which nothing takes long.
func hasty(t testing.TB) Options {
	transport := &http.Transport{}
	opts := Options{Rate: 100_000, Timeout: 200 * time.Millisecond, backoff: time.Millisecond, Transport: transport}
	t.Cleanup(opts.Transport.CloseIdleConnections)
	return opts
}

// finder asks a simulator every 20 ms.
func finder(t testing.TB, endpoint string, opts Options, change func(*gateway.Lambda)) discovery.Finder {
	t.Helper()
	block := &gateway.Lambda{Region: "us-east-1", Endpoint: endpoint, Interval: 20 * time.Millisecond}
	block.Credentials.ID = gateway.ID{Kind: gateway.KindSecret, Name: "aws"}
	if change != nil {
		change(block)
	}
	kind := Kind(opts)
	f, err := kind.Open(gateway.Finder{Lambda: block}, discovery.Surroundings{Material: material})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// account is what a simulator has, as the suite drives it.
type account struct{ *testenv.LambdaSimulator }

func (a account) Set(n int) {
	a.Mend()
	for i := range 5 {
		name := fmt.Sprintf("f%d", i)
		a.Remove(name)
		if i < n {
			a.Put(testenv.SimulatedFunction{Name: name, Description: "calculates"})
		}
	}
}

func (a account) Fail() {
	a.Mend()
	a.LambdaSimulator.Fail(testenv.LambdaFault{Status: 500, Code: "ServiceException"})
}

func (a account) Hang() {
	a.Mend()
	a.LambdaSimulator.Fail(testenv.LambdaFault{Hang: true})
}

func TestFinder(t *testing.T) {
	sourcetest.RunFinder(t, sourcetest.FinderSuite{
		Start: func(t *testing.T) (discovery.Finder, sourcetest.Remote) {
			a := account{testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})}
			a.Set(2)
			return finder(t, a.Endpoint, hasty(t), nil), a
		},
		Patience: 10 * time.Second,
		Secrets:  []string{key.Secret, key.Session},
	})
}

// first is the first answer of a finder, or its error.
func first(t testing.TB, f discovery.Finder) (list []*gateway.Function, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err = f.Run(ctx, func(functions []*gateway.Function) {
		list = functions
		stop()
	}, func() {})
	if errors.Is(err, context.Canceled) && list != nil {
		err = nil
	}
	return list, err
}

func names(list []*gateway.Function) (out []string) {
	for _, f := range list {
		out = append(out, f.Name)
	}
	return out
}

// TestVersionsAndAliases: a Lambda is as many functions as it has ways to be called.
func TestVersionsAndAliases(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{
		Name: "divide", Description: "divides\nin two lines", Tags: map[string]string{"team": "calc", "env": "prod"},
		Versions: map[string]testenv.LambdaHandler{"1": nil, "2": nil},
		Aliases:  map[string]testenv.LambdaAlias{"live": {Version: "1"}, "next": {Version: "2"}},
		URLs:     map[string]string{"": "https://abc.lambda-url.us-east-1.on.aws", "live": "https://def.lambda-url.us-east-1.on.aws"},
	})
	s.Put(testenv.SimulatedFunction{Name: "other", Tags: map[string]string{"team": "shop"}})
	s.Put(testenv.SimulatedFunction{Name: "untagged"})
	arn := "arn:aws:lambda:us-east-1:000000000000:function:divide"
	tags := map[string]string{"team": "calc", "env": "prod"}
	one := func(qualifier, url, summary string) *gateway.Function {
		f := &gateway.Function{Name: "divide", Kind: gateway.FunctionLambda, Summary: summary, Lambda: &gateway.LambdaFunction{ARN: arn, Qualifier: qualifier, URL: url, Tags: tags}}
		if qualifier != "" {
			f.Name, f.Lambda.ARN = f.Name+":"+qualifier, arn+":"+qualifier
		}
		return f
	}
	got, err := first(t, finder(t, s.Endpoint, hasty(t), func(l *gateway.Lambda) { l.Tags = map[string]string{"team": "calc"} }))
	if err != nil {
		t.Fatal(err)
	}
	want := []*gateway.Function{
		one("", "https://abc.lambda-url.us-east-1.on.aws", "divides"), one("1", "", "divides"), one("2", "", "divides"),
		one("live", "https://def.lambda-url.us-east-1.on.aws", "divides"), one("next", "", "divides"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, r := range s.Requests() {
		if strings.Contains(r.Target, "other/") || strings.Contains(r.Target, "untagged/") {
			t.Errorf("what the tags leave out was asked about: %s", r.Target)
		}
	}
	if wrong := testenv.VerifySignatures(t, s.Requests(), key); len(wrong) > 0 {
		t.Errorf("wrongly signed: %q", wrong)
	}
	s.Put(testenv.SimulatedFunction{Name: "oth"})
	got, err = first(t, finder(t, s.Endpoint, hasty(t), func(l *gateway.Lambda) { l.Prefix = "oth" }))
	if err != nil || !slices.Equal(names(got), []string{"oth", "other"}) {
		t.Errorf("by prefix: %q %v", names(got), err)
	}
}

// TestErrorsNameTheirCause: whoever reads the status knows what to do.
func TestErrorsNameTheirCause(t *testing.T) {
	denied := func(operation string) testenv.LambdaFault {
		return testenv.LambdaFault{Operation: operation, Status: 403, Code: "AccessDeniedException"}
	}
	for _, c := range []struct {
		fault testenv.LambdaFault
		want  string
	}{
		{denied("ListFunctions"), "may not do lambda:ListFunctions: allow it in their policy"},
		{denied("ListAliases"), "may not do lambda:ListAliases: allow it in their policy"},
		{denied("ListTags"), "may not do lambda:ListTags: allow it in their policy"},
		{denied("ListFunctionUrlConfigs"), ""},
		{testenv.LambdaFault{Status: 429, Code: "TooManyRequestsException", RetryAfter: "1"}, "TooManyRequestsException"},
		{testenv.LambdaFault{Status: 429, Code: "TooManyRequestsException", Times: 3}, ""},
		{testenv.LambdaFault{Status: 500, Code: "ServiceException", Times: 3}, ""},
		{testenv.LambdaFault{Status: 403, Code: "UnrecognizedClientException"}, "UnrecognizedClientException"},
		{testenv.LambdaFault{Cut: true}, "lambda:ListFunctions"},
		{testenv.LambdaFault{Operation: "ListTags", Cut: true}, "lambda:ListTags"},
		{testenv.LambdaFault{Operation: "ListAliases", Status: 200, Body: "<html>"}, "lambda:ListAliases"},
		{testenv.LambdaFault{Status: 301, Body: "moved"}, "lambda:ListFunctions"},
		{testenv.LambdaFault{Operation: "ListAliases", Status: 404, Code: "ResourceNotFoundException"}, "gone"},
		{testenv.LambdaFault{Hang: true}, "lambda:ListFunctions"},
	} {
		s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
		s.Put(testenv.SimulatedFunction{Name: "f", Tags: map[string]string{"a": "b"}})
		s.Fail(c.fault)
		got, err := first(t, finder(t, s.Endpoint, hasty(t), func(l *gateway.Lambda) { l.Tags = map[string]string{"a": "b"} }))
		switch {
		case c.want == "" && (err != nil || len(got) != 1):
			t.Errorf("%+v: %q %v", c.fault, names(got), err)
		case c.want == "gone" && (err != nil || len(got) != 0):
			t.Errorf("%+v: a function that was deleted is %q %v", c.fault, names(got), err)
		case c.want != "" && c.want != "gone" && (err == nil || !strings.Contains(err.Error(), c.want) || got != nil):
			t.Errorf("%+v: the error is %v, want one with %q", c.fault, err, c.want)
		case err != nil && strings.Contains(err.Error(), "canary"):
			t.Errorf("the error has a secret: %v", err)
		}
	}
}

// TestLargeAccount lists two thousand functions, and asks about each of them once.
func TestLargeAccount(t *testing.T) {
	const n = 2000
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	for i := range n {
		s.Put(testenv.SimulatedFunction{Name: fmt.Sprintf("f%04d", i), Aliases: map[string]testenv.LambdaAlias{"live": {Version: "$LATEST"}}})
	}
	f := finder(t, s.Endpoint, hasty(t), nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked []int
	updates, alive := 0, 0
	began := time.Now()
	err := f.Run(ctx, func(list []*gateway.Function) {
		if len(list) != 2*n {
			t.Errorf("an update has %d functions", len(list))
		}
		updates++
		t.Logf("%d functions after %s", len(list), time.Since(began))
	}, func() {
		asked = append(asked, len(s.Requests()))
		s.Forget()
		if alive++; alive == 4 {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) || updates != 1 {
		t.Errorf("%d updates, %v", updates, err)
	}
	// The first rounds list, then ask for aliases, then for aliases and URLs; the others list and nothing else. On a busy
	// machine some answers come too late, and are asked for again.
	pages := n / 50
	if want := []int{pages + n + pages + 2*n, pages, pages, pages}; len(asked) != len(want) || asked[0] < want[0] ||
		asked[0] > want[0]+n/20 || !slices.Equal(asked[1:], want[1:]) {
		t.Errorf("the rounds asked %v times, want %v", asked, want)
	}
}

// TestWhatChangesIsAskedAgain, and what does not is not.
func TestWhatChangesIsAskedAgain(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Put(testenv.SimulatedFunction{Name: "a"})
	s.Put(testenv.SimulatedFunction{Name: "b"})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	updates := make(chan []string, 10)
	done := make(chan error)
	go func() {
		done <- finder(t, s.Endpoint, hasty(t), nil).Run(ctx, func(list []*gateway.Function) { updates <- names(list) }, func() {})
	}()
	want := func(names ...string) {
		t.Helper()
		select {
		case got := <-updates:
			if !slices.Equal(got, names) {
				t.Errorf("the functions are %q, want %q", got, names)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no update")
		}
	}
	want("a", "b")
	s.Forget()
	s.Put(testenv.SimulatedFunction{Name: "b", Revision: "2", Versions: map[string]testenv.LambdaHandler{"1": nil}})
	want("a", "b", "b:1")
	for _, r := range s.Requests() {
		if strings.Contains(r.Target, "function%3Aa/") || strings.Contains(r.Target, "function:a/") {
			t.Errorf("%s was asked though nothing changed", r.Target)
		}
	}
	s.Remove("a")
	want("b", "b:1")
	stop()
	<-done
}

func TestRetryAfterIsHeeded(t *testing.T) {
	s := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	s.Fail(testenv.LambdaFault{Status: 429, Code: "TooManyRequestsException", RetryAfter: "1", Times: 1})
	opts := hasty(t)
	opts.backoff = 2 * time.Second
	began := time.Now()
	if _, err := first(t, finder(t, s.Endpoint, opts, nil)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it was asked again after %s", took)
	}
}

func TestOpenRefuses(t *testing.T) {
	near := discovery.Surroundings{Material: material}
	for want, l := range map[string]*gateway.Lambda{
		"needs a lambda block": nil, "needs credentials or a connection": {Region: "us-east-1"},
		`no aws connection "prod"`: {Region: "us-east-1", Connection: "prod"},
	} {
		if _, err := Kind(Options{}).Open(gateway.Finder{Lambda: l}, near); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
