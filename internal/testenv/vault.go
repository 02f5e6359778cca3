package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// VaultProduct says which of the servers with Vault's API a test runs.
type VaultProduct string

// The products. A suite about secrets runs against both: EachVault.
const (
	HashiCorpVault VaultProduct = "vault" // the zero value means it too
	OpenBao        VaultProduct = "openbao"
)

// EachVault runs a test once per product, as subtests with the products' names.
func EachVault(t *testing.T, test func(t *testing.T, product VaultProduct)) {
	t.Helper()
	for _, p := range []VaultProduct{HashiCorpVault, OpenBao} {
		t.Run(string(p), func(t *testing.T) { test(t, p) })
	}
}

// VaultOptions say what kind of server a test wants. The zero value is Vault in memory, initialised and unsealed.
type VaultOptions struct {
	Product VaultProduct
	TLS     bool   // an HTTPS listener beside the HTTP one, which takes client certificates
	Keep    bool   // state survives Restart; without it, Restart starts an empty server with another root token
	Join    *Vault // become a standby of this one; both need Keep
	Extra   string // HCL appended to the server's configuration
}

// Vault is a real server: Vault or OpenBao. It ends with the test; its log is shown when the test has failed.
type Vault struct {
	Product  VaultProduct
	Addr     string // http://127.0.0.1:PORT
	TLSAddr  string // https://127.0.0.1:PORT, with VaultOptions.TLS
	CAFile   string // authority of the HTTPS listener; client.pem and client-key.pem lie beside it
	Dir      string // of this server, the test's own
	Token    string // a root token; another one after a Restart without VaultOptions.Keep
	SealKeys []string

	t     testing.TB
	opts  VaultOptions
	ports []int // API, cluster, TLS
	log   *Output
	*server
}

// StartVault starts a server on ports of its own, initialises and unseals it, and mounts a KV engine of version 2 at
// secret/.
func StartVault(t testing.TB, o VaultOptions) *Vault {
	t.Helper()
	if o.Product == "" {
		o.Product = HashiCorpVault
	}
	v := &Vault{Product: o.Product, Dir: t.TempDir(), t: t, opts: o, ports: FreePorts(t, 3), log: &Output{}}
	v.Addr = fmt.Sprintf("http://127.0.0.1:%d", v.ports[0])
	if o.TLS {
		v.TLSAddr = fmt.Sprintf("https://127.0.0.1:%d", v.ports[2])
		v.CAFile = WriteCertificates(t, v.Dir)
	}
	t.Cleanup(func() {
		v.Kill()
		if t.Failed() {
			t.Logf("%s %s:\n%s", v.Product, v.Addr, v.log.Tail(16<<10))
		}
	})
	v.Start()
	return v
}

func (v *Vault) config() string {
	storage := `storage "inmem" {}`
	if v.opts.Keep {
		storage = fmt.Sprintf(`storage "raft" {
  path = %q
  node_id = %q
  performance_multiplier = 1
  autopilot_reconcile_interval = "100ms"
  autopilot_update_interval = "100ms"
}`, filepath.Join(v.Dir, "data"), v.Addr)
	}
	cfg := fmt.Sprintf(`%s
listener "tcp" {
  address = "127.0.0.1:%d"
  cluster_address = "127.0.0.1:%d"
  tls_disable = true
}
api_addr = %q
cluster_addr = "https://127.0.0.1:%[3]d"
plugin_directory = %[5]q
log_level = "info"
`, storage, v.ports[0], v.ports[1], v.Addr, VaultPluginDir(v.t))
	if v.Product == HashiCorpVault {
		cfg += "disable_mlock = true\n"
	}
	if v.opts.TLS {
		cfg += fmt.Sprintf(`
listener "tcp" {
  address = "127.0.0.1:%d"
  tls_cert_file = %q
  tls_key_file = %q
}
`, v.ports[2], filepath.Join(v.Dir, "server.pem"), filepath.Join(v.Dir, "server-key.pem"))
	}
	return cfg + v.opts.Extra
}

// Start starts a server that was killed, on the same ports, unseals it and waits until it serves. A server that has
// lost its state is made anew.
func (v *Vault) Start() {
	v.t.Helper()
	v.StartSealed()
	if len(v.SealKeys) == 0 || !v.opts.Keep {
		v.initialise()
		return
	}
	v.Unseal()
}

// StartSealed starts a server that was killed, and returns when it answers; it is sealed then.
func (v *Vault) StartSealed() {
	v.t.Helper()
	file := filepath.Join(v.Dir, "server.hcl")
	if err := os.MkdirAll(filepath.Join(v.Dir, "data"), 0o700); err != nil {
		v.t.Fatalf("make the folder of %s: %v", v.Product, err)
	}
	if err := os.WriteFile(file, []byte(v.config()), 0o600); err != nil {
		v.t.Fatalf("write the configuration of %s: %v", v.Product, err)
	}
	path := VaultPath(v.t)
	if v.Product == OpenBao {
		path = OpenBaoPath(v.t)
	}
	cmd := exec.Command(path, "server", "-config="+file)
	cmd.Env = append(cleanEnv(), "HOME="+v.Dir)
	v.server = startServer(v.t, string(v.Product), cmd, v.log)
	v.await("it answers", func(c *api.Client, ctx context.Context) error {
		_, err := c.Sys().SealStatusWithContext(ctx)
		return err
	})
}

// await calls check until it succeeds, and fails the test when the process ends before or a minute passes.
func (v *Vault) await(what string, check func(*api.Client, context.Context) error) {
	v.t.Helper()
	client := v.Client()
	Eventually(v.t, time.Minute, func() error {
		if err := v.alive(); err != nil {
			v.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := check(client, ctx); err != nil {
			return fmt.Errorf("wait until %s says that %s: %w", v.Product, what, err)
		}
		return nil
	})
}

// Kill ends the server as a crash does, with its plugins, and waits until it is gone.
func (v *Vault) Kill() {
	if v.server != nil {
		v.kill()
	}
}

// Restart kills and starts again. State and tokens are kept with VaultOptions.Keep, else lost.
func (v *Vault) Restart() {
	v.t.Helper()
	v.Kill()
	v.Start()
}

// Log is all that the server has written so far.
func (v *Vault) Log() string { return v.log.String() }
