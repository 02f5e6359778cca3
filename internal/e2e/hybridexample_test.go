package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// hybridExample is the example of that name, running.
type hybridExample struct {
	Dir, Consul, Platforms, Edge, Sluice string

	mu sync.Mutex
	by map[string]int // answers, by who has served them
}

// check counts who serves, and demands the right answer.
func (x *hybridExample) check(resp *http.Response, body []byte) error {
	var got struct {
		Result   float64
		ServedBy string `json:"served_by"`
	}
	if err := json.Unmarshal(body, &got); err != nil || resp.StatusCode != 200 || got.Result != 2 {
		return fmt.Errorf("status %d, body %s", resp.StatusCode, body)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.by[got.ServedBy]++
	return nil
}

// shares waits until the percentage of answers that some instances gave lately is within bounds.
func (x *hybridExample) shares(t *testing.T, l *testenv.Loader, prefix string, low, high int) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		x.mu.Lock()
		clear(x.by)
		x.mu.Unlock()
		l.WaitRequests(t, 150)
		x.mu.Lock()
		defer x.mu.Unlock()
		all, mine := 0, 0
		for name, n := range x.by {
			all += n
			if strings.HasPrefix(name, prefix) {
				mine += n
			}
		}
		if got := 100 * mine / max(all, 1); got < low || got > high {
			return fmt.Errorf("%s serves %d percent, want %d to %d: %v", prefix, got, low, high, x.by)
		}
		return nil
	})
}

func (x *hybridExample) post(t *testing.T, path string) {
	t.Helper()
	if status, body := call(t, "POST", x.Platforms+path, ""); status != 200 {
		t.Fatalf("%s: %d %s", path, status, body)
	}
}

// The story of the README: a service moves from virtual machines to Nomad under load, fails over to EC2 and to Consul,
// and back, and every answer is right.
func TestTheHybridExample(t *testing.T) {
	x := &hybridExample{by: map[string]int{}}
	startExample(t, "hybrid", x)
	out, code := tool(t, []string{
		"CONSUL_HTTP_ADDR=" + x.Consul, "SLUICE_ADDR=" + x.Sluice,
	}, "discover", "consul", "-prefix", "sluice/")
	if code != 0 || !strings.Contains(out, `upstream "billing"`) || strings.Contains(out, "calculator") {
		t.Errorf("discover: exit code %d:\n%s", code, out)
	}
	l := testenv.Load(t.Context(), t, x.Edge+"/divide/6/3", testenv.LoadOptions{Rate: 150, Check: x.check})
	x.shares(t, l, "alloc", 10, 30)
	for _, share := range []int{50, 100} {
		call(t, "PUT", x.Consul+"/v1/kv/sluice/values/move/calculator", fmt.Sprint(share))
		x.shares(t, l, "alloc", share-10, share+10)
	}
	x.post(t, "/jobs/calculator/deploy")
	x.shares(t, l, "alloc-1-v2", 30, 70)
	call(t, "PUT", x.Consul+"/v1/kv/sluice/values/move/calculator", "0")
	x.shares(t, l, "vm-", 100, 100)
	x.post(t, "/machines/vm-1/off")
	x.post(t, "/machines/vm-2/off")
	x.shares(t, l, "ec2-", 100, 100)
	x.post(t, "/instances/ec2-1/terminate")
	x.shares(t, l, "ec2-2", 100, 100)
	x.post(t, "/machines/vm-1/on")
	x.shares(t, l, "vm-1", 100, 100)
	if r := l.Stop(); r.Failed() > 0 {
		t.Errorf("clients noticed: %s", r)
	}

	// When nothing else is left, the last resort serves.
	x.post(t, "/instances/ec2-2/terminate")
	x.post(t, "/machines/vm-1/off")
	testenv.Eventually(t, time.Minute, func() error {
		if status, body := call(t, "GET", x.Edge+"/divide/6/3", ""); status != 200 || !strings.Contains(body, "monolith") {
			return fmt.Errorf("answered %d: %s", status, body)
		}
		return nil
	})
}
