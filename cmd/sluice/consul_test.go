package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluice-gateway/sluice/catalog/policies"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestScriptsWithConsul runs the command lines of testdata/consul against a real Consul with default deny and a server
// with the shipped policy. $OPERATOR_TOKEN may apply, $READER_TOKEN may not.
func TestScriptsWithConsul(t *testing.T) {
	consul := testenv.StartConsul(t, testenv.ConsulOptions{ACL: true})
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/consul",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			const prefix = "sluice/"
			server := consul.CreateToken(policies.Reader(prefix) + policies.Writer(prefix))
			api := testenv.Unused(t)
			for name, value := range map[string]string{
				"CONSUL_HTTP_ADDR": consul.Addr, "CONSUL_HTTP_TOKEN": consul.CreateToken(policies.Apply(prefix)),
				"READER_TOKEN": consul.CreateToken(policies.Reader(prefix)), "SLUICE_ADDR": "http://" + api,
				"SLUICE_TOKEN": "", "SLUICE_TOKEN_FILE": "", "SLUICE_CACERT": "",
			} {
				e.Setenv(name, value)
			}
			config := fmt.Sprintf("state_dir = %q\nconfig {\n  consul_prefix = %q\n}\nconsul \"main\" {\n  address = %q\n  token = %q\n}\nxds {\n  address = \"127.0.0.1:0\"\n}\nhttp {\n  address = %q\n}\n",
				filepath.Join(e.WorkDir, "state"), prefix, consul.Addr, server, api)
			return os.WriteFile(filepath.Join(e.WorkDir, "agent.hcl"), []byte(config), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "awaits": awaits, "status-says": statusSays},
	})
}

// awaits runs a command again and again until it ends with 0.
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: awaits COMMAND…")
	}
	until(ts, strings.Join(args, " ")+" to end with 0", func() bool { return ts.Exec(args[0], args[1:]...) == nil })
}

// statusSays waits until the server's status has a text.
func statusSays(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: status-says TEXT")
	}
	until(ts, "the status to say "+args[0], func() bool {
		return ts.Exec("sluice", "status") == nil && strings.Contains(ts.ReadFile("stdout"), args[0])
	})
}

func until(ts *testscript.TestScript, what string, ok func() bool) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}
