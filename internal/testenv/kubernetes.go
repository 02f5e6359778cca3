package testenv

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// KubernetesPath is the API server of Kubernetes that tests run: $KUBE_APISERVER_PATH, else the cached one.
func KubernetesPath(t testing.TB) string {
	t.Helper()
	return binary(t, "KUBE_APISERVER_PATH", filepath.Join("kubernetes-"+KubernetesVersion, "kube-apiserver"))
}

// EtcdPath is the store of that API server: $ETCD_PATH, else the cached one.
func EtcdPath(t testing.TB) string {
	t.Helper()
	return binary(t, "ETCD_PATH", filepath.Join("kubernetes-"+KubernetesVersion, "etcd"))
}

// Kubernetes is a real API server with its etcd, and nothing else of a cluster: no nodes, no controllers. Slices are what
// the test writes. RBAC is in force. It ends with the test; its log is shown when the test has failed.
type Kubernetes struct {
	Addr   string // https://127.0.0.1:PORT
	CAFile string
	Token  string // of an administrator

	t      testing.TB
	dir    string
	ports  []int // API, etcd, its peers
	log    *Output
	client *http.Client
	etcd   *server
	api    *server
}

// StartKubernetes starts both on ports of their own, and waits until the API server is ready.
func StartKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	k := &Kubernetes{Token: "administrator", t: t, dir: t.TempDir(), ports: FreePorts(t, 3), log: &Output{}}
	k.Addr = fmt.Sprintf("https://127.0.0.1:%d", k.ports[0])
	k.CAFile = WriteCertificates(t, k.dir)
	k.write("tokens.csv", k.Token+`,admin,admin,"system:masters"`+"\n")
	pem, err := os.ReadFile(k.CAFile)
	if err != nil {
		t.Fatalf("read authority: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	k.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, // no goroutine outlives a call
	}}
	t.Cleanup(func() {
		k.Kill()
		if k.etcd != nil {
			k.etcd.kill()
		}
		if t.Failed() {
			t.Logf("kubernetes %s:\n%s", k.Addr, k.log.Tail(16<<10))
		}
	})
	store := fmt.Sprintf("http://127.0.0.1:%d", k.ports[1])
	peers := fmt.Sprintf("http://127.0.0.1:%d", k.ports[2])
	k.etcd = k.run("etcd", EtcdPath(t), "--data-dir="+filepath.Join(k.dir, "etcd"), "--log-level=warn", "--unsafe-no-fsync",
		"--listen-client-urls="+store, "--advertise-client-urls="+store, "--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	k.Start()
	return k
}

func (k *Kubernetes) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.t.Fatalf("write for kubernetes: %v", err)
	}
}

func (k *Kubernetes) run(name, path string, args ...string) *server {
	k.t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = k.dir, append(cleanEnv(), "HOME="+k.dir)
	return startServer(k.t, name, cmd, k.log)
}

// Start starts an API server that was killed, and waits until it is ready.
func (k *Kubernetes) Start() {
	k.t.Helper()
	file := func(name string) string { return filepath.Join(k.dir, name) }
	k.api = k.run("kube-apiserver", KubernetesPath(k.t),
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", k.ports[1]),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", k.ports[0]),
		"--tls-cert-file="+file("server.pem"), "--tls-private-key-file="+file("server-key.pem"), "--client-ca-file="+k.CAFile,
		"--token-auth-file="+file("tokens.csv"), "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+file("server.pem"),
		"--service-account-signing-key-file="+file("server-key.pem"), "--endpoint-reconciler-type=none",
		"--disable-admission-plugins=ServiceAccount", "--v=0")
	Eventually(k.t, 2*time.Minute, func() error {
		for _, s := range []*server{k.etcd, k.api} {
			if err := s.alive(); err != nil {
				k.t.Fatal(err)
			}
		}
		_, err := k.Do(http.MethodGet, "/readyz", nil)
		return err
	})
}

// Kill ends the API server as a crash does; etcd stays.
func (k *Kubernetes) Kill() {
	if k.api != nil {
		k.api.kill()
	}
}

// Freeze stops the API server in its tracks; Thaw lets it go on. Connections stay open.
func (k *Kubernetes) Freeze() {
	k.t.Helper()
	if err := k.api.Freeze(); err != nil {
		k.t.Fatalf("freeze kubernetes: %v", err)
	}
}

// Thaw ends Freeze.
func (k *Kubernetes) Thaw() {
	k.t.Helper()
	if err := k.api.Thaw(); err != nil {
		k.t.Fatalf("thaw kubernetes: %v", err)
	}
}

// Do makes one call as the administrator. body, if not nil, is JSON, or is made JSON.
func (k *Kubernetes) Do(method, path string, body any) ([]byte, error) {
	text, ok := body.([]byte)
	if !ok && body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("make the body: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(context.Background(), method, k.Addr+path, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+k.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := k.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %.500s", method, path, res.Status, answer)
	}
	return answer, err
}

// Must is Do where the test cannot go on without.
func (k *Kubernetes) Must(method, path string, body any) []byte {
	k.t.Helper()
	answer, err := k.Do(method, path, body)
	if err != nil {
		k.t.Fatal(err)
	}
	return answer
}

// AccountToken is a token of a service account.
func (k *Kubernetes) AccountToken(namespace, name string) string {
	k.t.Helper()
	answer := k.Must(http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name+"/token", map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{"expirationSeconds": 3600},
	})
	var made struct {
		Status struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.Status.Token == "" {
		k.t.Fatalf("make a token of %s/%s: %v", namespace, name, err)
	}
	return made.Status.Token
}
