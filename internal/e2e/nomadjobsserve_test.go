package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/internal/testenv"
	nomadpolicies "github.com/sluice-gateway/sluice/nomad/policies"
)

const nomadDocument = `
gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}

secret "key" {
  vault_kv {
    path     = "sluice/app"
    field    = "key"
    interval = "1s"
  }
}

upstream "app" {
  consul { service = "app" }
}

route "app" {
  hosts = ["app.example.com"]
  to { upstream = upstream.app }
  credential {
    header = "x-api-key"
    secret = secret.key
  }
}
`

// newCluster starts everything that the jobs need, and sets it up with the shipped scripts, twice.
func newCluster(t *testing.T, product testenv.VaultProduct) *cluster {
	t.Helper()
	c := &cluster{
		t: t, consul: testenv.StartConsul(t, testenv.ConsulOptions{ACL: true}),
		vault: testenv.StartVault(t, testenv.VaultOptions{Product: product}), issuer: testenv.StartIssuer(t), life: 20 * time.Second,
	}
	var was string
	for range 2 {
		c.setUp("consul.sh", "SLUICE_CONSUL_TTL=1m")
		c.setUp("vault.sh", "SLUICE_VAULT_TTL=15s", "SLUICE_MOUNT=kv pki")
		is := c.state()
		if was != "" && is != was {
			t.Errorf("the second run changed something:\n%s\n%s", was, is)
		}
		was = is
	}
	return c
}

// state is what the scripts have made.
func (c *cluster) state() string {
	c.t.Helper()
	acl := c.consul.Client().ACL()
	rules, _, err := acl.BindingRuleList("sluice", nil)
	if err != nil || len(rules) != 1 {
		c.t.Fatalf("%d rules, %v", len(rules), err)
	}
	role, _, err := acl.RoleReadByName("sluice-control-plane", nil)
	if err != nil || role == nil || len(role.Policies) != 2 {
		c.t.Fatalf("the role is %v, %v", role, err)
	}
	method, _, err := acl.AuthMethodRead("sluice", nil)
	if err != nil || method == nil {
		c.t.Fatalf("the method is %v, %v", method, err)
	}
	return fmt.Sprint(rules[0].ID, rules[0].Selector, role.ID, method.Config, method.MaxTokenTTL,
		c.vault.Read("secret/data/sluice/api")["data"], c.vault.Read("pki/cert/ca")["certificate"],
		c.vault.Read("auth/jwt-nomad/role/sluice-control-plane"), c.vault.Read("sys/policies/acl/sluice-gateway-edge")["policy"])
}

// tokens are those that Consul's auth method made and that have not ended.
func (c *cluster) tokens() (out []*api.ACLTokenListEntry) {
	c.t.Helper()
	all, _, err := c.consul.Client().ACL().TokenList(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, one := range all {
		if one.AuthMethod == "sluice" && one.ExpirationTime.After(time.Now()) {
			out = append(out, one)
		}
	}
	return out
}

var insecure = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
	DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
}}

// passes asks what the checks of the job ask, as the agent of a node does.
func (a *alloc) passes() error {
	for _, check := range a.job.all("check") {
		label := check.text("port")
		if label == "" {
			label = "api"
		}
		scheme := check.text("protocol")
		if scheme == "" {
			scheme = "http"
		}
		resp, err := insecure.Get(fmt.Sprintf("%s://%s:%s%s", scheme, a.env["NOMAD_IP_"+label], a.env["NOMAD_PORT_"+label], check.text("path")))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the check %s answers %s", check.text("name"), resp.Status)
		}
	}
	return nil
}

// metric is the value of a metric of a replica.
func (a *alloc) metric(series string) (int, error) {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%s/metrics", a.env["NOMAD_PORT_api"]), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(a.file("secrets/api-token")))
	resp, err := insecure.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\d+)$`).FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("%s: no %s among %d bytes", resp.Status, series, len(text))
	}
	return strconv.Atoi(string(found[1]))
}

// TestNomadJobsServe runs both jobs as their files say, on real servers that the shipped scripts have set up, and calls
// through them while every identity, token and certificate is replaced.
func TestNomadJobsServe(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.HashiCorpVault)
	ports := testenv.FreePorts(t, 6)
	s := &stack{t: t, consul: c.consul, port: ports[0]}
	app := s.service("app")
	c.nomad = testenv.StartNomad(t, testenv.NomadOptions{ACL: true, Socket: true})
	c.nomad.SetPolicy(t, "sluice-reader", nomadpolicies.Reader())
	c.nomad.Register(c.nomad.Service("shop", "one", "127.0.0.1", app.Port()))
	c.vault.PutKV("sluice/app", map[string]any{"key": "canary-1"})
	s.put("app.hcl", fmt.Sprintf(nomadDocument, s.port))

	job, err := readJob(planeJob, map[string]string{
		"sluice": sluice, "consul_address": "http://" + c.consul.Addr, "vault_address": c.vault.Addr, "xds_port": fmt.Sprint(ports[1]),
		"cert_ttl": "60s", // what is served in the end was made meanwhile
	})
	if err != nil {
		t.Fatal(err)
	}
	plane := c.place(job, map[string]int{"api": ports[2]})
	server := plane.start("the control plane's task")
	testenv.Eventually(t, time.Minute, plane.passes)

	if job, err = readJob(edgeJob, map[string]string{
		"sluice": sluice, "envoy": testenv.EnvoyPath(t), "http_port": fmt.Sprint(ports[0]), "ready_port": fmt.Sprint(ports[3]),
		"xds": fmt.Sprintf("[%q]", fmt.Sprintf("127.0.0.1:%d", ports[1])), "drain_time": "5s", "cert_ttl": "60s",
	}); err != nil {
		t.Fatal(err)
	}
	envoy := c.place(job, map[string]int{"admin": ports[4]})
	edge := envoy.start("the edge's task")
	testenv.Eventually(t, time.Minute, envoy.passes)
	addr := fmt.Sprintf("127.0.0.1:%d", s.port)
	sees := func(host, key string) {
		t.Helper()
		testenv.Eventually(t, time.Minute, func() error { return answeredWith(addr, host, key) })
	}
	sees("app.example.com", "canary-1")

	first := c.tokens()
	if len(first) != 1 {
		t.Fatalf("%d tokens of Consul", len(first))
	}
	load := testenv.Load(t.Context(), t, "http://"+addr+"/", testenv.LoadOptions{Host: "app.example.com", Connections: 2, Rate: 40})
	c.renew(*first[0].ExpirationTime, plane, envoy)
	reaches := func(series string, least int) {
		t.Helper()
		testenv.Eventually(t, 20*time.Second, func() error {
			n, err := plane.metric(series)
			if err == nil && n < least {
				err = fmt.Errorf("%s is %d", series, n)
			}
			return err
		})
	}
	reaches(`sluice_consul_logins_total{connection="main",result="done"}`, 2)
	reaches(`sluice_vault_token_renewals_total{connection=""}`, 3)
	// Vault's token is renewed for ever. Were it taken away, the identity of now makes another; that of the start is long over.
	c.vault.Write("sys/leases/revoke-prefix/auth/jwt-nomad/login", nil)
	reaches(`sluice_vault_logins_total{connection=""}`, 2)
	if n, err := plane.metric(`sluice_consul_logins_total{connection="main",result="failed"}`); err != nil || n > 0 {
		t.Errorf("%d logins failed, %v", n, err)
	}
	// With the tokens of now, what changes is still seen.
	c.vault.PutKV("sluice/app", map[string]any{"key": "canary-2"})
	sees("app.example.com", "canary-2")
	s.put("more.hcl", route("more", "more.example.com", "/", "shop")+`
upstream "shop" {
  nomad { service = "shop" }
}
`)
	sees("more.example.com", "")

	// The task is stopped and started again on the same node.
	c.stop(server, 15*time.Second)
	if left := c.tokens(); len(left) > 0 {
		t.Errorf("%d tokens of Consul are left", len(left))
	}
	for _, a := range []*alloc{plane, envoy} {
		a.identify()
		a.render()
	}
	server = plane.start("the control plane's task, again")
	testenv.Eventually(t, time.Minute, plane.passes)
	s.put("last.hcl", route("last", "last.example.com", "/", "app"))
	sees("last.example.com", "")
	load.WaitRequests(t, 40)
	if r := load.Stop(); r.Failed() > 0 {
		t.Errorf("while all was replaced: %s", r)
	} else {
		t.Logf("while all was replaced: %s", r)
	}
	c.stop(edge, duration(t, job.all("task")[0].text("kill_timeout")))
	c.stop(server, 15*time.Second)
	for _, text := range []string{server.out.String(), edge.out.String()} {
		if strings.Contains(text, "eyJ") || strings.Contains(text, "canary") {
			t.Error("a log holds what is secret")
		}
		if strings.Contains(text, "consul watch failed") {
			t.Error("the end of a token was noticed")
		}
	}
}

// answeredWith is nil when a host is answered by the app, which was sent the key.
func answeredWith(addr, host, key string) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return err
	}
	req.Host = host
	resp, err := fresh.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(b), key) {
		return fmt.Errorf("%s answers %s: %.300s", host, resp.Status, b)
	}
	return nil
}

// renew does what Nomad's client does, until the token of Consul that was there at first has ended.
func (c *cluster) renew(until time.Time, tasks ...*alloc) {
	c.t.Helper()
	tick := time.NewTicker(c.life / 4)
	defer tick.Stop()
	for time.Now().Before(until.Add(5 * time.Second)) {
		select {
		case <-tick.C:
		case <-c.t.Context().Done():
			return
		}
		for _, a := range tasks {
			a.identify()
			a.render()
		}
	}
}

// stop ends a task as Nomad does, and waits for as long as Nomad waits.
func (c *cluster) stop(p *process, timeout time.Duration) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), timeout)
	defer cancel()
	if err := p.Terminate(); err != nil {
		c.t.Fatal(err)
	}
	if err := p.exit(ctx); err != nil {
		c.t.Errorf("%s, told to stop: %v", p.name, err)
	}
}

// TestNomadIdentitiesOfOthersAreRefused shows identities that are not those of the jobs.
func TestNomadIdentitiesOfOthersAreRefused(t *testing.T) {
	testenv.EachVault(t, func(t *testing.T, product testenv.VaultProduct) {
		t.Parallel()
		c := newCluster(t, product)
		sign := c.issuer.Workload
		login := func(role, identity string) error {
			_, err := c.vault.ClientWith("").Logical().Write("auth/jwt-nomad/login", map[string]any{"role": role, "jwt": identity})
			return err
		}
		if err := c.login("sluice", sign("default", "sluice", "server", "consul.io", time.Minute)); err != nil {
			t.Errorf("the job itself, at Consul: %v", err)
		}
		for role, job := range map[string][2]string{"sluice-control-plane": {"sluice", "server"}, "sluice-gateway-edge": {"sluice-edge", "envoy"}} {
			if err := login(role, sign("default", job[0], job[1], "vault.io", time.Minute)); err != nil {
				t.Errorf("the job %s itself, at Vault: %v", job[0], err)
			}
		}
		stranger := testenv.StartIssuer(t).Workload
		for name, at := range map[string]func(audience string) string{
			"another job":       func(a string) string { return sign("default", "batch", "server", a, time.Minute) },
			"the other job":     func(a string) string { return sign("default", "sluice-edge", "envoy", a, time.Minute) },
			"another namespace": func(a string) string { return sign("dev", "sluice", "server", a, time.Minute) },
			"another task":      func(a string) string { return sign("default", "sluice", "sidecar", a, time.Minute) },
			"another audience":  func(string) string { return sign("default", "sluice", "server", "nomadproject.io", time.Minute) },
			"an expired one":    func(a string) string { return sign("default", "sluice", "server", a, -time.Hour) },
			"another issuer":    func(a string) string { return stranger("default", "sluice", "server", a, time.Minute) },
		} {
			if c.login("sluice", at("consul.io")) == nil {
				t.Errorf("%s is let in by Consul", name)
			}
			if login("sluice-control-plane", at("vault.io")) == nil {
				t.Errorf("%s is let in by Vault", name)
			}
		}
		// What an Envoy may have of Vault is a certificate of its own gateway.
		made, err := c.vault.ClientWith("").Logical().Write("auth/jwt-nomad/login", map[string]any{
			"role": "sluice-gateway-edge", "jwt": sign("default", "sluice-edge", "envoy", "vault.io", time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
		client := c.vault.ClientWith(made.Auth.ClientToken)
		for path, ask := range map[string]map[string]any{
			"pki/issue/sluice-control-plane": {"alt_names": "localhost"},
			"pki/issue/sluice-gateway-edge":  {"uri_sans": "spiffe://sluice/gateway/inner"},
			"secret/data/sluice/api":         nil,
		} {
			if s, err := client.Logical().Write(path, ask); err == nil {
				t.Errorf("an Envoy gets %v at %s", s, path)
			}
		}
		if s, err := client.Logical().Read("secret/data/sluice/api"); err == nil {
			t.Errorf("an Envoy reads %v", s)
		}
		if _, err := pkiCert(client, "pki/issue/sluice-gateway-edge", []string{"uri_sans=spiffe://sluice/gateway/edge"}); err != nil {
			t.Errorf("an Envoy gets no certificate: %v", err)
		}
	})
}

// TestNomadSetUpRefusesWhatItCannotWrite gives the scripts names that would end a string.
func TestNomadSetUpRefusesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	for script, env := range map[string]string{"consul.sh": `SLUICE_JOB=x" or "" == "`, "vault.sh": `SLUICE_GATEWAY=*`} {
		cmd := exec.Command("sh", setUpScript(t, script))
		cmd.Env = []string{env, "PATH=/usr/bin:/bin", "CONSUL=false", "VAULT=false"}
		if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}
