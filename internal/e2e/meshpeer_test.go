package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// peer is a member of the mesh: it proves to be one service, and lets in whoever proves to be sluice. It asks Consul for
// certificate and authorities anew for each handshake, and takes a handshake for each request.
type peer struct {
	port     int
	requests atomic.Int64
	issuer   atomic.Pointer[string] // key of who signed the last client's certificate
}

// startPeer starts a member that proves to be the service `is`, and answers as `says`.
func startPeer(t *testing.T, consul *testenv.Consul, is, says string) *peer {
	t.Helper()
	p := &peer{}
	agent := consul.Client().Agent()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		issuer := fmt.Sprintf("%x", r.TLS.PeerCertificates[0].AuthorityKeyId)
		p.issuer.Store(&issuer)
		fmt.Fprintf(w, `{"upstream":%q,"path":%q}`, says, r.URL.Path)
	}))
	last := atomic.Pointer[tls.Config]{}
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if c, err := handshake(agent, is); err == nil {
			last.Store(c)
		}
		return last.Load(), nil // without Consul, that of before
	}}
	s.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil)
	s.Config.SetKeepAlivesEnabled(false)
	s.StartTLS()
	t.Cleanup(s.Close)
	p.port = s.Listener.Addr().(*net.TCPAddr).Port
	return p
}

// handshake is the configuration of one handshake as a service of the mesh, with sluice and nobody else.
func handshake(agent *api.Agent, service string) (*tls.Config, error) {
	leaf, _, err := agent.ConnectCALeaf(service, nil)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(leaf.CertPEM), []byte(leaf.PrivateKeyPEM))
	if err != nil {
		return nil, err
	}
	roots, _, err := agent.ConnectCARoots(nil)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, r := range roots.Roots {
		pool.AppendCertsFromPEM([]byte(r.RootCertPEM))
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if uris := state.PeerCertificates[0].URIs; len(uris) != 1 || !strings.HasSuffix(uris[0].Path, "/ns/default/dc/dc1/svc/sluice") {
				return fmt.Errorf("the client is %v", uris)
			}
			return nil
		},
	}, nil
}

// registerPeer makes something that listens on a port the proxy of a service.
func (s *stack) registerPeer(service string, port int, health string) {
	s.t.Helper()
	id := fmt.Sprintf("%s-proxy-%d", service, port)
	s.consul.Register(&api.CatalogRegistration{
		Node: "vm-" + id, Address: "127.0.0.1",
		Service: &api.AgentService{
			Kind: api.ServiceKindConnectProxy, ID: id, Service: service + "-sidecar-proxy", Address: "127.0.0.1", Port: port,
			Proxy: &api.AgentServiceConnectProxyConfig{DestinationServiceName: service},
		},
		Checks: api.HealthChecks{{Node: "vm-" + id, CheckID: "alive-" + id, Name: "alive", Status: health, ServiceID: id}},
	})
}

// sidecar starts a service, and before it the proxy that is part of Consul, as its users would.
func (s *stack) sidecar(name string) *testenv.Upstream {
	s.t.Helper()
	u, port := testenv.StartUpstream(s.t, name), testenv.FreePort(s.t)
	cmd := exec.Command(testenv.ConsulPath(s.t), "connect", "proxy", "-http-addr", "http://"+s.consul.Addr,
		"-service", name, "-service-addr", u.Address, "-listen", fmt.Sprintf("127.0.0.1:%d", port))
	s.registerPeer(name, port, api.HealthPassing)
	out := &testenv.Output{}
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, environment("CONSUL_HTTP_TOKEN="+s.consul.Token)
	endWithTest(cmd)
	must(s.t, cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("the proxy of %s wrote:\n%s", name, out.Tail(4<<10))
		}
	})
	return u
}

// allow lets one service of the mesh call another, or not.
func (s *stack) allow(from, to string, action api.IntentionAction) {
	s.t.Helper()
	testenv.Eventually(s.t, 30*time.Second, func() error {
		_, err := s.consul.Client().Connect().IntentionUpsert(&api.Intention{SourceName: from, DestinationName: to, Action: action}, nil)
		return err
	})
}

// newAuthority has Consul sign with another key from now on.
func (s *stack) newAuthority() {
	s.t.Helper()
	ca := s.consul.Client().Connect()
	conf, _, err := ca.CAGetConfig(nil)
	must(s.t, err)
	conf.Config["PrivateKeyType"], conf.Config["PrivateKeyBits"] = "ec", 384
	delete(conf.Config, "RootCert")
	delete(conf.Config, "PrivateKey")
	_, err = ca.CASetConfig(conf, nil)
	must(s.t, err)
	roots, _, err := ca.CARoots(nil)
	must(s.t, err)
	if len(roots.Roots) < 2 {
		s.t.Fatal(errors.New("there is one authority, as before"))
	}
}
