package testenv

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/internal/fault"
)

// ConsulOptions say what kind of agent a test wants. The zero value is one server without ACLs, in memory.
type ConsulOptions struct {
	ACL  bool // default deny; Token is the bootstrap token
	TLS  bool // an HTTPS port beside the HTTP one
	Keep bool // state survives Restart; without it, Restart starts from an empty state
	Mesh bool // an authority for the service mesh

	WAN        bool    // servers of other datacenters may join
	Datacenter string  // default dc1
	Federate   *Consul // with WAN: a server of another datacenter, the primary one, to join
	Extra      string  // HCL appended to the agent's configuration
}

// Consul is a real agent. It ends with the test; its log is printed when the test has failed.
type Consul struct {
	Addr    string // host:port of HTTP
	TLSAddr string // host:port of HTTPS, with ConsulOptions.TLS
	Token   string // of an operator, with ConsulOptions.ACL
	CAFile  string // authority of the HTTPS port
	Dir     string // of this agent, the test's own

	t     testing.TB
	opts  ConsulOptions
	ports consulPorts
	cmd   *exec.Cmd
	done  chan struct{}
}

type consulPorts struct{ http, https, serf, rpc, wan int }

// bootstrapToken is a constant so that a restart from an empty state knows the same operator.
const bootstrapToken = "5f1cb5b6-3c62-4d0a-9f7e-3d0e3c2a8b11"

// StartConsul starts an agent on ports of its own and returns when it has a leader.
func StartConsul(t testing.TB, opts ConsulOptions) *Consul {
	t.Helper()
	c := &Consul{t: t, opts: opts, Dir: t.TempDir()}
	p := freePorts(t, 5)
	c.ports = consulPorts{http: p[0], https: p[1], serf: p[2], rpc: p[3], wan: p[4]}
	c.Addr = fmt.Sprintf("127.0.0.1:%d", c.ports.http)
	if opts.ACL {
		c.Token = bootstrapToken
	}
	if opts.TLS {
		c.TLSAddr = fmt.Sprintf("127.0.0.1:%d", c.ports.https)
		c.CAFile = WriteCertificates(t, c.Dir)
	}
	t.Cleanup(func() {
		c.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(c.Dir, "consul.log"))
			t.Logf("consul %s:\n%s", c.Addr, tail(log, 8<<10))
		}
	})
	c.Start()
	return c
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// freePorts asks the kernel for ports of which TCP and UDP are free.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for len(ports) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		defer l.Close() // all are held until the last is found
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		u.Close()
		ports = append(ports, port)
	}
	return ports
}

func (c *Consul) config() string {
	cfg := fmt.Sprintf(`
node_name  = "test"
datacenter = %q
server     = true
bind_addr  = "127.0.0.1"
client_addr = "127.0.0.1"
advertise_addr = "127.0.0.1"
bootstrap_expect = 1
disable_update_check = true
leave_on_terminate = false
skip_leave_on_interrupt = true
log_level = "INFO"
connect { enabled = %v }
performance {
  raft_multiplier = 1
  leave_drain_time = "10ms"
}
ports {
  http = %d
  https = %d
  dns = -1
  serf_lan = %d
  serf_wan = %d
  server = %d
  grpc = -1
  grpc_tls = -1
}
`, c.Datacenter(), c.opts.Mesh, c.ports.http, tlsPort(c), c.ports.serf, wanPort(c), c.ports.rpc)
	if to := c.opts.Federate; to != nil {
		cfg += fmt.Sprintf("primary_datacenter = %q\nretry_join_wan = [\"127.0.0.1:%d\"]\nretry_interval_wan = \"1s\"\n", to.Datacenter(), to.ports.wan)
	}
	if c.opts.Keep {
		cfg += fmt.Sprintf("data_dir = %q\n", filepath.Join(c.Dir, "data"))
	}
	if c.opts.ACL {
		cfg += fmt.Sprintf(`
acl {
  enabled = true
  default_policy = "deny"
  tokens {
    initial_management = %[1]q
    agent = %[1]q
  }
}
`, bootstrapToken)
	}
	if c.opts.TLS {
		cfg += fmt.Sprintf(`
tls {
  https {
    ca_file = %q
    cert_file = %q
    key_file = %q
    verify_incoming = false
  }
}
`, c.CAFile, filepath.Join(c.Dir, "server.pem"), filepath.Join(c.Dir, "server-key.pem"))
	}
	return cfg + c.opts.Extra
}

// Datacenter is the name of the datacenter.
func (c *Consul) Datacenter() string { return cmp.Or(c.opts.Datacenter, "dc1") }

func wanPort(c *Consul) int {
	if c.opts.WAN {
		return c.ports.wan
	}
	return -1
}

func tlsPort(c *Consul) int {
	if c.opts.TLS {
		return c.ports.https
	}
	return -1
}

// Start starts an agent that was stopped or killed, on the same ports, and waits until it has a leader.
func (c *Consul) Start() {
	c.t.Helper()
	file := filepath.Join(c.Dir, "agent.hcl")
	if err := os.WriteFile(file, []byte(c.config()), 0o600); err != nil {
		c.t.Fatalf("write consul configuration: %v", err)
	}
	log, err := os.OpenFile(filepath.Join(c.Dir, "consul.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatalf("open consul log: %v", err)
	}
	defer log.Close()
	args := []string{"agent", "-config-file=" + file}
	if !c.opts.Keep {
		args = append(args, "-dev")
	}
	c.cmd = exec.Command(ConsulPath(c.t), args...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(cleanEnv(), "HOME="+c.Dir)
	endWithTest(c.cmd)
	if err := c.cmd.Start(); err != nil {
		c.t.Fatalf("start consul: %v", err)
	}
	done, cmd := make(chan struct{}), c.cmd
	c.done = done
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	c.waitReady()
}

// cleanEnv is the environment without what would configure a Consul.
func cleanEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH")}
}

func (c *Consul) waitReady() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.ready(ctx) {
			return
		}
		select {
		case <-c.done:
			c.t.Fatalf("consul ended before it was ready: see its log")
		case <-ctx.Done():
			c.t.Fatalf("consul has no leader after a minute")
		case <-tick.C:
		}
	}
}

// ready says that the agent has a leader that can write, and has registered itself.
func (c *Consul) ready(ctx context.Context) bool {
	client := c.Client()
	opts := (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
	node, _, err := client.Catalog().Node("test", opts)
	return err == nil && node != nil
}

// Client is an operator's client over HTTP, whatever the environment says.
func (c *Consul) Client() *api.Client {
	cfg := &api.Config{Address: c.Addr, Scheme: "http", Token: c.Token, HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	client, err := api.NewClient(cfg)
	if err != nil {
		c.t.Fatalf("make consul client: %v", err)
	}
	return client
}

// Kill ends the agent as a crash does and waits until it is gone.
func (c *Consul) Kill() {
	if c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	<-c.done
	c.cmd = nil
}

// Stop ends the agent; a test ends with it by itself.
func (c *Consul) Stop() { c.Kill() }

// Restart kills and starts again. State is kept with ConsulOptions.Keep, else lost.
func (c *Consul) Restart() {
	c.t.Helper()
	c.Kill()
	c.Start()
}

// Pause freezes the agent: connections stay open and nothing answers. Resume undoes it.
func (c *Consul) Pause() { c.check(c.process().Freeze()) }

// Resume lets a frozen agent go on.
func (c *Consul) Resume() { c.check(c.process().Thaw()) }

func (c *Consul) process() fault.Process { return fault.Process(c.cmd.Process.Pid) }

func (c *Consul) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("signal consul: %v", err)
	}
}

// CreateToken makes a token with exactly this policy and returns its secret ID.
func (c *Consul) CreateToken(policy string) string {
	c.t.Helper()
	_, token := c.CreatePolicy(policy)
	return token
}

// CreatePolicy makes a policy and a token with it alone. It returns the policy's ID, for UpdatePolicy, and the token's
// secret ID.
func (c *Consul) CreatePolicy(policy string) (id, token string) {
	c.t.Helper()
	acl := c.Client().ACL()
	name := fmt.Sprintf("test-%d", time.Now().UnixNano())
	p, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: name, Rules: policy}, nil)
	if err != nil {
		c.t.Fatalf("create consul policy: %v", err)
	}
	made, _, err := acl.TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{ID: p.ID}}}, nil)
	if err != nil {
		c.t.Fatalf("create consul token: %v", err)
	}
	return p.ID, made.SecretID
}

// UpdatePolicy changes what a policy allows.
func (c *Consul) UpdatePolicy(id, policy string) {
	c.t.Helper()
	_, _, err := c.Client().ACL().PolicyUpdate(&api.ACLPolicy{ID: id, Name: "changed-" + id, Rules: policy}, nil)
	if err != nil {
		c.t.Fatalf("update consul policy: %v", err)
	}
}

// DeleteToken revokes a token by its secret ID.
func (c *Consul) DeleteToken(secret string) {
	c.t.Helper()
	acl := c.Client().ACL()
	self, _, err := acl.TokenReadSelf(&api.QueryOptions{Token: secret})
	if err == nil {
		_, err = acl.TokenDelete(self.AccessorID, nil)
	}
	if err != nil {
		c.t.Fatalf("delete consul token: %v", err)
	}
}

// Put writes a key.
func (c *Consul) Put(key, value string) {
	c.t.Helper()
	if _, err := c.Client().KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
		c.t.Fatalf("put %s: %v", key, err)
	}
}

// Delete removes a key; one that ends in a slash with all below it.
func (c *Consul) Delete(key string) {
	c.t.Helper()
	kv := c.Client().KV()
	remove := kv.Delete
	if key[len(key)-1] == '/' {
		remove = kv.DeleteTree
	}
	if _, err := remove(key, nil); err != nil {
		c.t.Fatalf("delete %s: %v", key, err)
	}
}

// Register adds or changes an instance on a node of its own making, as an external registration does.
func (c *Consul) Register(r *api.CatalogRegistration) {
	c.t.Helper()
	if _, err := c.Client().Catalog().Register(r, nil); err != nil {
		text, _ := json.Marshal(r)
		c.t.Fatalf("register %s: %v", text, err)
	}
}
