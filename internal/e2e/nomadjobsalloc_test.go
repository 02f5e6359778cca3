package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// cluster is what jobs of sluice run in: a Consul that denies what is not allowed, a Vault, and who signs identities.
type cluster struct {
	t      *testing.T
	consul *testenv.Consul
	vault  *testenv.Vault
	issuer *testenv.Issuer
	nomad  *testenv.Nomad // whose task API the tasks have; nil: none
	life   time.Duration  // of identities
}

// setUp runs one of the shipped scripts as an operator does.
func (c *cluster) setUp(script string, env ...string) string {
	c.t.Helper()
	cmd := exec.Command("sh", setUpScript(c.t, script))
	vault := testenv.VaultPath(c.t)
	if c.vault.Product == testenv.OpenBao {
		vault = testenv.OpenBaoPath(c.t)
	}
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + tempDir(c.t), "NOMAD_JWKS_URL=" + c.issuer.JWKS,
		"CONSUL=" + testenv.ConsulPath(c.t), "CONSUL_HTTP_ADDR=" + c.consul.Addr, "CONSUL_HTTP_TOKEN=" + c.consul.Token,
		"VAULT=" + vault, "VAULT_ADDR=" + c.vault.Addr, "VAULT_TOKEN=" + c.vault.Token,
		"BAO_ADDR=" + c.vault.Addr, "BAO_TOKEN=" + c.vault.Token,
	}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// setUpScript is the path of a script. It is read, so that a result of another script is not taken for its own.
func setUpScript(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("../../nomad/setup", name)
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// alloc stands for what a client of Nomad makes of a task: its folders, identities, templates and environment.
type alloc struct {
	c    *cluster
	job  *jobBlock
	task *jobBlock
	dir  string
	env  map[string]string
}

// place makes the folders of a task and fills them. ports are by label; each is static in the file or given here.
func (c *cluster) place(job *jobBlock, ports map[string]int) *alloc {
	c.t.Helper()
	a := &alloc{c: c, job: job, task: job.all("task")[0], dir: tempDir(c.t), env: map[string]string{"NOMAD_ALLOC_ID": "7d6f0b1e-replica"}}
	for name, folder := range map[string]string{"NOMAD_TASK_DIR": "local", "NOMAD_SECRETS_DIR": "secrets", "NOMAD_ALLOC_DIR": "alloc"} {
		a.env[name] = filepath.Join(a.dir, folder)
		if err := os.MkdirAll(filepath.Join(a.dir, folder, "data"), 0o700); err != nil {
			c.t.Fatal(err)
		}
	}
	if c.nomad != nil { // the task API is a socket among the secrets
		socket := strings.TrimPrefix(c.nomad.Addr, "unix://")
		if err := os.Symlink(socket, filepath.Join(a.env["NOMAD_SECRETS_DIR"], "api.sock")); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, p := range job.all("port") {
		label := p.labels[0]
		port := p.text("static")
		if port == "" {
			port = fmt.Sprint(ports[label])
		}
		a.env["NOMAD_PORT_"+label], a.env["NOMAD_IP_"+label] = port, "127.0.0.1"
	}
	if e := a.task.all("env"); len(e) > 0 {
		for name := range e[0].attrs {
			a.env[name] = e[0].text(name)
		}
	}
	a.identify()
	a.render()
	return a
}

// identify writes the identities of the task, as Nomad does when it starts and before they expire.
func (a *alloc) identify() {
	a.c.t.Helper()
	for _, i := range a.task.all("identity") {
		if i.text("file") != "true" {
			continue
		}
		name, text := "nomad_token", ""
		switch {
		case i.text("name") != "":
			name, text = "nomad_"+i.text("name")+".jwt", a.identity(i.list("aud")[0])
		case a.c.nomad != nil:
			text = a.c.nomad.NewIdentity("sluice-reader")
		}
		a.replace(filepath.Join(a.env["NOMAD_SECRETS_DIR"], name), text)
	}
}

func (a *alloc) identity(audience string) string {
	return a.c.issuer.Workload(a.job.text("namespace"), a.job.text("id"), a.task.labels[0], audience, a.c.life)
}

// replace writes a file as Nomad does: all or nothing.
func (a *alloc) replace(path, text string) {
	a.c.t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		a.c.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		a.c.t.Fatal(err)
	}
}

// render fills in the templates with what Vault gives to the role of the task's vault block.
func (a *alloc) render() {
	a.c.t.Helper()
	v := a.task.all("vault")[0]
	audience := ""
	for _, i := range a.task.all("identity") {
		if i.text("name") == "vault_default" {
			audience = i.list("aud")[0]
		}
	}
	client := a.c.vault.ClientWith("")
	made, err := client.Logical().Write("auth/jwt-nomad/login", map[string]any{"role": v.text("role"), "jwt": a.identity(audience)})
	if err != nil {
		a.c.t.Fatalf("log in for the templates of %s: %v", a.task.labels, err)
	}
	client.SetToken(made.Auth.ClientToken)
	for _, one := range a.task.all("template") {
		parsed, err := template.New(one.text("destination")).Funcs(template.FuncMap{
			"env":     func(name string) string { return a.env[name] },
			"secret":  client.Logical().Read,
			"pkiCert": func(path string, args ...string) (map[string]any, error) { return pkiCert(client, path, args) },
		}).Parse(one.text("data"))
		if err != nil {
			a.c.t.Fatal(err)
		}
		var out bytes.Buffer
		if err := parsed.Execute(&out, nil); err != nil {
			a.c.t.Fatalf("fill in %s: %v", one.text("destination"), err)
		}
		a.replace(filepath.Join(a.dir, one.text("destination")), out.String())
	}
}

// pkiCert issues a certificate, as the function of that name of Nomad's templates does.
func pkiCert(client *api.Client, path string, args []string) (map[string]any, error) {
	ask := map[string]any{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		ask[name] = value
	}
	s, err := client.Logical().Write(path, ask)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Cert": s.Data["certificate"], "Key": s.Data["private_key"], "CA": s.Data["issuing_ca"]}, nil
}

// resolve puts in what the client of a node knows.
func (a *alloc) resolve(text string) string {
	known := []string{"${node.region}", "here", "${node.datacenter}", "dc1"}
	for name, value := range a.env {
		known = append(known, "${"+name+"}", value)
	}
	return strings.NewReplacer(known...).Replace(text)
}

// start runs what the config block of the task says.
func (a *alloc) start(name string) *process {
	a.c.t.Helper()
	config := a.task.all("config")[0]
	if command := config.text("command"); command != sluice {
		a.c.t.Fatalf("the command is %s", command)
	}
	var args, env []string
	for _, arg := range config.list("args") {
		if arg = a.resolve(arg); strings.Contains(arg, "${") {
			a.c.t.Fatalf("nobody knows what %s is", arg)
		}
		args = append(args, arg)
	}
	for name, value := range a.env {
		env = append(env, name+"="+value)
	}
	return spawn(a.c.t, name, env, args...)
}

// file is the text of a file that was rendered.
func (a *alloc) file(name string) string {
	a.c.t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.c.t.Fatal(err)
	}
	return string(b)
}

// login asks Consul for a token with an identity, as a task does.
func (c *cluster) login(method, identity string) error {
	c.t.Helper()
	body, err := json.Marshal(map[string]string{"AuthMethod": method, "BearerToken": identity})
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := fresh.Post("http://"+c.consul.Addr+"/v1/acl/login", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return fmt.Errorf("consul answers %s", resp.Status)
	}
	return nil
}
