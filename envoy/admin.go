package envoy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// adminTimeout is how long one answer of the admin interface may take.
const adminTimeout = 2 * time.Second

// admin speaks to the admin interface of one Envoy.
type admin struct{ client *http.Client }

// newAdmin takes host:port or the path of a Unix socket.
func newAdmin(address string) *admin {
	network := "tcp"
	address = strings.TrimPrefix(address, "unix:")
	if strings.ContainsAny(address, "/@") {
		network = "unix"
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	// Nothing is kept alive: an idle connection would count among those that a drain waits for.
	return &admin{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// ready says whether Envoy takes traffic.
func (a *admin) ready(ctx context.Context) bool {
	_, err := a.ask(ctx, http.MethodGet, "/ready")
	return err == nil
}

// post changes something and expects 200.
func (a *admin) post(ctx context.Context, path string) error {
	_, err := a.ask(ctx, http.MethodPost, path)
	return err
}

// sum adds up the gauges of that last name, those of the admin interface and of single workers left out.
func (a *admin) sum(ctx context.Context, gauge string) (uint64, error) {
	path := "/stats?format=json&type=Gauges&filter=" + url.QueryEscape(`^(listener|http)\..*\.`+gauge+"$")
	body, err := a.ask(ctx, http.MethodGet, path)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Stats []struct {
			Name  string
			Value uint64
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("read the stats of envoy's admin: %w", err)
	}
	var total uint64
	for _, s := range answer.Stats {
		if !strings.HasPrefix(s.Name, "listener.admin.") && s.Name != "http.admin."+gauge && !strings.Contains(s.Name, ".worker_") {
			total += s.Value
		}
	}
	return total, nil
}

func (a *admin) ask(ctx context.Context, method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask envoy's admin for %s: %w", path, err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask envoy's admin for %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s of envoy's admin: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("envoy's admin answers %s with %s", path, resp.Status)
	}
	return body, nil
}
