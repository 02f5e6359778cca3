package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// migration is the example of that name, running.
type migration struct {
	Consul, AWS, Vault, Edge, Sluice string

	Processes map[string]fault.Process
}

// startMigration starts the example as its README says, with free ports.
func startMigration(t *testing.T) *migration {
	t.Helper()
	m := &migration{}
	startExample(t, "migration", m)
	if m.Edge == "" {
		t.Fatal("the example says nothing of its gateway")
	}
	return m
}

// startExample runs the up.py of an example, with free ports, until the end of the test, and reads where everything is.
func startExample(t *testing.T, name string, into any) {
	t.Helper()
	cmd := exec.Command("python3", "../../examples/"+name+"/up.py", "--free", "--sluice", sluice)
	cmd.Env = environment("GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"), "GOFLAGS=-mod=readonly")
	endWithTest(cmd)
	out := &testenv.Output{}
	cmd.Stderr = out
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = fault.Process(cmd.Process.Pid).Terminate() // it may have ended
		_ = cmd.Wait()
	})
	ready, lines := false, bufio.NewScanner(pipe)
	for lines.Scan() {
		if ready = lines.Text() == "ready"; ready {
			break
		}
		if err := json.Unmarshal(lines.Bytes(), into); err != nil {
			t.Logf("the example says: %s", lines.Text())
		}
	}
	if !ready {
		t.Fatalf("the example %s did not start: %s", name, out.Tail(8<<10))
	}
	go func() { _, _ = io.Copy(io.Discard, pipe) }() // until it ends
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// share moves divide: so much of a hundred goes to the Lambda.
func (m *migration) share(t *testing.T, percent int) {
	t.Helper()
	call(t, "PUT", m.Consul+"/v1/kv/sluice/values/canary/divide", fmt.Sprint(percent))
}

func call(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, string(b)
}

func TestTheMigrationExample(t *testing.T) {
	m := startMigration(t)
	t.Run("serves every kind of function", m.servesEveryKind)
	t.Run("moves a function from the monolith to a Lambda", m.movesAFunction)
}

// The story of the example: one function moves from the monolith to a Lambda, share by share, under load. Every answer
// is the one that the monolith always gave. In the end the monolith is frozen, and nobody notices; then the function
// moves back while the Lambdas are frozen.
func (m *migration) movesAFunction(t *testing.T) {
	want := `{"a":6,"b":3,"operation":"divide","result":2}`
	load := testenv.Load(t.Context(), t, m.Edge+"/divide/6/3", testenv.LoadOptions{
		Rate: 60,
		Check: func(resp *http.Response, body []byte) error {
			if got := strings.TrimSpace(string(body)); resp.StatusCode != 200 || got != want {
				return fmt.Errorf("status %d, body %s", resp.StatusCode, got)
			}
			return nil
		},
	})
	for _, percent := range []int{0, 10, 50, 100} {
		m.share(t, percent)
		m.lambdaShare(t, percent)
		load.WaitRequests(t, 60)
	}
	frozen(t, m.Processes["monolith"], func() { load.WaitRequests(t, 60) })
	m.share(t, 0)
	m.lambdaShare(t, 0)
	frozen(t, m.Processes["aws"], func() { load.WaitRequests(t, 60) })
	if r := load.Stop(); r.Failed() > 0 {
		t.Errorf("clients noticed: %s", r)
	}
}

// frozen runs f while a process stands still.
func frozen(t *testing.T, p fault.Process, f func()) {
	t.Helper()
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Thaw(); err != nil {
			t.Error(err)
		}
	}()
	f()
}

// lambdaShare waits until the gateway has taken the share over.
func (m *migration) lambdaShare(t *testing.T, percent int) {
	t.Helper()
	env := []string{"SLUICE_ADDR=" + m.Sluice}
	testenv.Eventually(t, 30*time.Second, func() error {
		out, code := tool(t, env, "routes", "-json")
		var routes []struct {
			Name         string
			Destinations []struct {
				Function string
				Weight   int
			}
		}
		if err := json.Unmarshal([]byte(out), &routes); code != 0 || err != nil {
			return fmt.Errorf("exit code %d: %w: %s", code, err, out)
		}
		for _, r := range routes {
			if r.Name == "divide" && r.Destinations[0].Weight == percent {
				return nil
			}
		}
		return fmt.Errorf("divide has not moved to %d percent", percent)
	})
	// The plane has it; what Envoy has follows within its answer. The load goes on meanwhile.
	testenv.Eventually(t, 30*time.Second, func() error {
		out, code := tool(t, env, "status", "-json")
		if code != 0 || strings.Contains(out, `"pending"`) {
			return fmt.Errorf("exit code %d, or blocks that Envoy has not confirmed: %s", code, out)
		}
		return nil
	})
}

// What the README shows beside the move: every kind of function, and the API that clients see.
func (m *migration) servesEveryKind(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/add/1/2", "", 200, `"result":3`},
		{"GET", "/divide/6/0", "", 422, "divided by zero"},
		{"GET", "/multiply/6/3", "", 200, `"result": 18`},
		{"GET", "/multiply/six/3", "", 400, "error"},
		{"GET", "/power/2/10", "", 200, "1024"},
		{"GET", "/power/2/ten", "", 400, "error"},
		{"GET", "/table/7", "", 200, "<li>3 × 7 = 21</li>"},
		{"POST", "/statistics/divide", "{}", 200, `"count":1`},
		{"POST", "/statistics/divide", `{"times": 4}`, 200, `"count":5`},
		{"GET", "/statistics/divide", "", 200, `{"operation":"divide","count":5}`},
		{"GET", "/statistics/nothing", "", 404, `"code":5`},
		{"GET", "/statistics", "", 200, `[{"operation":"divide","count":5}]`},
	} {
		status, body := call(t, c.method, m.Edge+c.path, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, status, body, c.status, c.want)
		}
	}
	env := []string{"SLUICE_ADDR=" + m.Sluice}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"functions"}, "function.math.divide"},
		{[]string{"functions"}, "function.statistics.Get"},
		{[]string{"secrets"}, "aws/creds/lambda-invoker"},
		{[]string{"openapi", "-gateway", "edge"}, `"/divide/{a}/{b}"`},
		{[]string{"explain", "GET", m.Edge + "/divide/6/3"}, "route divide takes it"},
	} {
		if out, code := tool(t, env, c.args...); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("sluice %s: exit code %d, without %q:\n%s", strings.Join(c.args, " "), code, c.want, out)
		}
	}
}
