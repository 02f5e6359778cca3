package testenv

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// Get asks Envoy's admin for a path and returns the body; the test fails unless the answer is 200.
func (e *Envoy) Get(t testing.TB, path string) []byte {
	t.Helper()
	b, err := e.get(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Stat returns the value of a counter or gauge by its full name; ok is false while Envoy has none of that name.
func (e *Envoy) Stat(t testing.TB, name string) (value uint64, ok bool) {
	t.Helper()
	for n, v := range e.Stats(t, "^"+regexpQuote(name)+"$") {
		return v, n == name
	}
	return 0, false
}

// Stats returns the counters and gauges whose names match an RE2 expression, by name.
func (e *Envoy) Stats(t testing.TB, filter string) map[string]uint64 {
	t.Helper()
	var answer struct {
		Stats []struct {
			Name  string
			Value json.Number
		}
	}
	path := "/stats?format=json&type=Counters&filter=" + queryEscape(filter)
	values := map[string]uint64{}
	for _, path := range []string{path, "/stats?format=json&type=Gauges&filter=" + queryEscape(filter)} {
		answer.Stats = nil
		if err := json.Unmarshal(e.Get(t, path), &answer); err != nil {
			t.Fatalf("read %s of envoy's admin: %v", path, err)
		}
		for _, s := range answer.Stats {
			v, err := strconv.ParseUint(s.Value.String(), 10, 64)
			if err != nil {
				t.Fatalf("read stat %s of envoy's admin: %v", s.Name, err)
			}
			values[s.Name] = v
		}
	}
	return values
}

// WaitStat returns once a counter or gauge satisfies want, and fails the test if it does not within 10 s.
func (e *Envoy) WaitStat(t testing.TB, name string, want func(uint64) bool) {
	t.Helper()
	Eventually(t, 10*time.Second, func() error {
		if v, _ := e.Stat(t, name); !want(v) {
			return fmt.Errorf("envoy's %s is %d", name, v)
		}
		return nil
	})
}

// ConfigDump is Envoy's whole configuration as JSON, endpoints included.
func (e *Envoy) ConfigDump(t testing.TB) []byte {
	t.Helper()
	return e.Get(t, "/config_dump?include_eds")
}

// Listener waits until the listener of that name is bound and returns its address, host:port, with loopback for the
// wildcard address.
func (e *Envoy) Listener(t testing.TB, name string) (address string) {
	t.Helper()
	Eventually(t, 10*time.Second, func() error {
		bound, err := e.listeners()
		if err != nil {
			return err
		}
		if address = bound[name]; address == "" {
			return fmt.Errorf("envoy has no listener %q, it has %v", name, bound)
		}
		return nil
	})
	return address
}

func (e *Envoy) listeners() (map[string]string, error) {
	b, err := e.get("/listeners?format=json")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Listeners []struct {
			Name    string `json:"name"`
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("read the listeners of envoy's admin: %w", err)
	}
	bound := map[string]string{}
	for _, l := range answer.Listeners {
		bound[l.Name] = loopback(l.Address.Socket.Address, l.Address.Socket.Port)
	}
	return bound, nil
}

func (e *Envoy) get(path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.AdminURL+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask envoy's admin for %s: %w", path, err)
	}
	resp, err := adminClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask envoy's admin for %s: %w", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s of envoy's admin: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("envoy's admin answers %s with %s: %.200s", path, resp.Status, b)
	}
	return b, nil
}

// Nothing is kept alive, so that no goroutine outlives a test that checks for leaks.
var adminClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
