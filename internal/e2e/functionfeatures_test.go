package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// lambdaFails lets a Lambda fail in each way while half of the route's requests go to a service: these are answered as
// before, and those by no means with 200.
func (w *functionWorld) lambdaFails(t *testing.T) {
	slow := testenv.SimulatedFunction{Name: "hello", Timeout: time.Second, Handler: func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	failing := testenv.SimulatedFunction{Name: "hello", Handler: func(context.Context, []byte) ([]byte, error) {
		return nil, errors.New("out of order")
	}}
	fine := testenv.SimulatedFunction{Name: "hello", Timeout: time.Second, Handler: hello}
	for _, c := range []struct {
		name, code string
		status     int
		begin      func()
	}{
		{"throttled", "function_throttled", http.StatusTooManyRequests, func() {
			w.throttled.Fail(testenv.LambdaFault{Operation: "Invoke", Status: 429, Code: "TooManyRequestsException"})
		}},
		{"failing", "function_error", http.StatusBadGateway, func() { w.throttled.Put(failing) }},
		{"too slow", "function_timeout", http.StatusGatewayTimeout, func() { w.throttled.Put(slow) }},
		{"denied", "function_refused", http.StatusBadGateway, func() {
			w.throttled.Fail(testenv.LambdaFault{Operation: "Invoke", Status: 403, Code: "AccessDeniedException"})
		}},
		{"out of order", "function_refused", http.StatusBadGateway, func() {
			w.throttled.Fail(testenv.LambdaFault{Operation: "Invoke", Status: 500, Code: "ServiceException"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.begin()
			w.both(t, c.status, c.code)
			w.throttled.Mend()
			w.throttled.Put(fine)
		})
	}
	w.edge.flow(t, "throttled", "/7", 20, answersWith("hello")).WaitRequests(t, 5)
}

// both calls the mixed route until both of its destinations have answered several times.
func (w *functionWorld) both(t *testing.T, status int, code string) {
	t.Helper()
	service, function := 0, 0
	for i := 0; i < 100 && (service < 3 || function < 3); i++ {
		resp, body := w.send(t, "mixed.example.com", "/7", nil)
		switch {
		case resp.StatusCode == http.StatusOK && strings.Contains(body, `"upstream":"app"`):
			service++
		case resp.StatusCode == status && resp.Header.Get("x-sluice-error") == code:
			function++
		default:
			t.Fatalf("answered %s %q: %s", resp.Status, resp.Header.Get("x-sluice-error"), body)
		}
	}
	if service < 3 || function < 3 {
		t.Errorf("the service answered %d times, the function %d times", service, function)
	}
}

// send sends one request, and returns the answer and its body.
func (w *functionWorld) send(t testing.TB, host, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.edge.addr+path, nil)
	must(t, err)
	req.Host = host
	maps.Copy(req.Header, header)
	resp, err := fresh.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

const everyFeature = `
secret "api_key" {
  vault_kv {
    path     = "sluice/api"
    field    = "key"
    interval = "1s"
  }
}

function "features" "ping" {
  timeout { request = "1s" }
  retry {
    attempts = 2
    on       = ["503"]
  }
  headers {
    request {
      set = { x-from = "function" }
    }
    response {
      set = { x-to = "client" }
    }
  }
  mirror { upstream = upstream.app }
  request {
    query = { added = "yes" }
  }
  response {
    status = ["2xx"]
    body   = { by = response.body.upstream, at = response.body.path }
  }
  credential {
    header = "x-api-key"
    prefix = "Key "
    secret = secret.api_key
  }
}

route "plain" {
  hosts = ["plain.example.com"]
  match { path = "/{id}" }
  to { function = function.features.ping }
}

route "other" {
  hosts = ["other.example.com"]
  match { path = "/items/{number}/{rest}" }
  to {
    function = function.features.ping
    args     = { id = request.path.number }
  }
}
`

// features lays everything that there is on a function, and calls it from two routes.
func (w *functionWorld) features(t *testing.T) {
	w.vault.PutKV("sluice/api", map[string]any{"key": "canary-api-1"})
	w.put("features.hcl", everyFeature)
	shop := w.shops["features"]
	w.says(t, "features.hcl", "accepted (")
	for host, path := range map[string]string{"plain.example.com": "/7", "other.example.com": "/items/7/x"} {
		t.Run(host, func(t *testing.T) {
			w.edge.answers(t, host, path, http.StatusOK)
			mirrored := w.app.Requests()
			shop.set(func() { shop.fail = 2 }) // both are repeated
			resp, body := w.send(t, host, path, http.Header{"X-Api-Key": {"the client's"}})
			if resp.StatusCode != http.StatusOK || resp.Header.Get("x-to") != "client" || !strings.Contains(body, `"by":"features"`) || !strings.Contains(body, `"at":"/ping/7?added=yes"`) {
				t.Errorf("answered %s %v %s", resp.Status, resp.Header, body)
			}
			e, _ := shop.last("x-from")
			if e.Header.Get("x-from") != "function" || e.Header.Get("x-api-key") != "Key canary-api-1" || e.Path != "/ping/7?added=yes" {
				t.Errorf("the function got %+v", e)
			}
			testenv.Eventually(t, 10*time.Second, func() error {
				if w.app.Requests() == mirrored {
					return fmt.Errorf("no copy came")
				}
				if got := w.app.Last(); strings.Contains(got.Host, "shadow") && strings.Contains(fmt.Sprint(got.Header), "canary") {
					t.Fatalf("the copy has the credential: %v", got.Header)
				}
				return nil
			})
			shop.set(func() { shop.hang = true })
			began := time.Now()
			resp, body = w.send(t, host, path, nil)
			shop.set(func() { shop.hang = false })
			if took := time.Since(began); resp.StatusCode != http.StatusGatewayTimeout || took > 5*time.Second {
				t.Errorf("after %s answered %s %s", took, resp.Status, body)
			}
		})
	}
}
