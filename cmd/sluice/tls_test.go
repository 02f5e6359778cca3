package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestScriptsWithTLS runs the command lines of testdata/tls with a server whose API speaks TLS and wants a token.
func TestScriptsWithTLS(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/tls",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			testenv.WriteCertificates(t, e.WorkDir)
			api := testenv.Unused(t)
			e.Setenv("SLUICE_ADDR", "https://"+api)
			for _, name := range []string{"SLUICE_TOKEN", "SLUICE_TOKEN_FILE", "SLUICE_CACERT"} {
				e.Setenv(name, "")
			}
			config := fmt.Sprintf("config {\n  path = \"docs\"\n}\nxds {\n  address = \"127.0.0.1:0\"\n}\nhttp {\n  address = %q\n  token_file = \"token\"\n  tls {\n    cert_file = \"server.pem\"\n    key_file = \"server-key.pem\"\n  }\n}\n", api)
			return os.WriteFile(filepath.Join(e.WorkDir, "agent.hcl"), []byte(config), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "awaits": awaits, "status-says": statusSays},
	})
}
