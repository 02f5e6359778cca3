package testenv

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// LambdaSimulator answers Lambda's API inside the test: calls of functions, which are Go functions, and the lists that
// discovery reads. It is much faster than AWS, applies the weights of aliases, and can fail in every way that Lambda
// does. It does not check signatures; VerifySignatures does, of what it has recorded. Its methods are safe for
// concurrent use.
type LambdaSimulator struct {
	Recorder // every request, also those that were made to fail

	Endpoint string // http://127.0.0.1:PORT, or https
	CAFile   string // with LambdaSimulatorOptions.TLS
	Region   string // us-east-1
	Account  string // 000000000000

	options   LambdaSimulatorOptions
	mu        sync.Mutex
	functions map[string]SimulatedFunction
	faults    []*LambdaFault
	released  chan struct{} // closed when hanging requests may go on
	events    sync.WaitGroup
	ending    context.Context // of asynchronous calls
}

// LambdaSimulatorOptions say what kind of simulator a test wants. The zero value speaks HTTP and lists 50 to a page.
type LambdaSimulatorOptions struct {
	TLS      bool
	PageSize int // at most, whatever a request asks for; 50 when 0
}

// SimulatedFunction is a function of a simulator.
type SimulatedFunction struct {
	Name     string
	Handler  LambdaHandler            // of $LATEST; LambdaVersion says which version runs
	Versions map[string]LambdaHandler // published versions by number; a nil one runs Handler
	Aliases  map[string]LambdaAlias
	Tags     map[string]string

	Description string
	URLs        map[string]string // Function URLs by qualifier, "" for none; they are listed and not served
	Revision    string            // changes with the function; "1" when empty
	Timeout     time.Duration     // 3 s when 0; in lists in whole seconds
}

// LambdaAlias points at a version, and sends a share of the calls to others.
type LambdaAlias struct {
	Version string
	Weights map[string]float64 // share of the calls by version, from 0 to 1
}

// LambdaFault makes requests fail. All that match take it; the one that was added last wins.
type LambdaFault struct {
	Operation     string // Invoke, ListFunctions, ListAliases, ListVersionsByFunction, ListTags, ListFunctionUrlConfigs, GetFunction; empty: each
	Function      string // empty: each
	Status        int    // answered with this status; 0 with Hang or Cut
	Code          string // the type of the error: TooManyRequestsException
	RetryAfter    string // the header of this name
	Body          string // instead of an error in JSON
	FunctionError string // the header that says how the function failed: Unhandled
	Hang          bool   // no answer before Mend or the end of the test
	Cut           bool   // the connection is cut in the middle of the answer
	Times         int    // how many requests fail; 0: all until Mend
}

// StartLambdaSimulator serves on a free port of loopback until the end of the test.
func StartLambdaSimulator(t testing.TB, o LambdaSimulatorOptions) *LambdaSimulator {
	t.Helper()
	if o.PageSize == 0 {
		o.PageSize = 50
	}
	ending, end := context.WithCancel(context.Background())
	s := &LambdaSimulator{
		Region: "us-east-1", Account: "000000000000", options: o, ending: ending,
		functions: map[string]SimulatedFunction{}, released: make(chan struct{}),
	}
	server := httptest.NewUnstartedServer(s.Handler(http.HandlerFunc(s.serve)))
	if o.TLS {
		dir := t.TempDir()
		s.CAFile = WriteCertificates(t, dir)
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
		if err != nil {
			t.Fatalf("load the certificate of the lambda simulator: %v", err)
		}
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		server.EnableHTTP2 = true
		server.StartTLS()
	} else {
		server.Start()
	}
	s.Endpoint = server.URL
	t.Cleanup(func() {
		end()
		s.Mend()
		server.CloseClientConnections()
		server.Close()
		s.events.Wait()
	})
	return s
}

// Put adds a function, or replaces it, and returns its ARN.
func (s *LambdaSimulator) Put(f SimulatedFunction) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.functions[f.Name] = f
	return s.arn(f.Name)
}

// Remove removes a function; calls of it are answered with 404 from then on.
func (s *LambdaSimulator) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.functions, name)
}

// Fail makes requests fail from now on.
func (s *LambdaSimulator) Fail(f LambdaFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Mend takes back all faults; requests that hang are answered.
func (s *LambdaSimulator) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	close(s.released)
	s.released = make(chan struct{})
}

func (s *LambdaSimulator) arn(function string) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", s.Region, s.Account, function)
}

// fault returns what is to happen to a request, nil for nothing, and when it is over.
func (s *LambdaSimulator) fault(c lambdaCall) (*LambdaFault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range slices.Backward(s.faults) {
		if f.Operation != "" && f.Operation != c.operation || f.Function != "" && f.Function != c.function {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f, s.released
	}
	return nil, nil
}

func (s *LambdaSimulator) find(name string) (SimulatedFunction, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.functions[name]
	return f, ok
}
