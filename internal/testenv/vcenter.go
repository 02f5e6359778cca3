package testenv

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// VCenter is a simulated vCenter over TLS, with the datacenter DC0, its cluster DC0_C0 of three hosts and its host
// DC0_H0, and no machine. It logs users in by password, and keeps its inventory when it is restarted. Its methods are
// safe for concurrent use.
type VCenter struct {
	Address  string // host:port; the same after Restart
	CAFile   string
	Username string
	Password string // at the start

	model *simulator.Model
	admin *vim25.Client // in process, without a login
	mux   *http.ServeMux
	tls   *tls.Config

	mu       sync.Mutex
	server   *http.Server // nil while stopped
	serving  chan struct{}
	password string
	denied   int             // status of the tag service; 0: it works
	calls    map[string]int  // by method
	tokens   map[string]bool // sessions of tags that are good
	waits    map[*wait]bool  // calls that wait for updates
}

// making lets one inventory be made at a time: the simulator makes all of one template.
var making sync.Mutex

// StartVCenter starts a simulated vCenter on a free port of loopback until the end of the test.
func StartVCenter(t testing.TB) *VCenter {
	t.Helper()
	v := &VCenter{
		Username: "sluice@vsphere.local", Password: "canary-vcenter-password",
		calls: map[string]int{}, tokens: map[string]bool{}, waits: map[*wait]bool{},
	}
	v.password = v.Password
	dir := t.TempDir()
	v.CAFile = WriteCertificates(t, dir)
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatalf("read the certificate of vCenter: %v", err)
	}
	v.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	v.model = simulator.VPX()
	v.model.Machine = 0
	making.Lock()
	err = v.model.Create()
	making.Unlock()
	if err != nil {
		t.Fatalf("make an inventory: %v", err)
	}
	t.Cleanup(v.model.Remove)
	v.setUp(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for vCenter: %v", err)
	}
	v.Address = l.Addr().String()
	v.serve(l)
	t.Cleanup(v.Stop)
	return v
}

// setUp has the simulator register its paths, which it does when it makes a server of its own, and takes over.
func (v *VCenter) setUp(t testing.TB) {
	t.Helper()
	service := v.model.Service
	service.RegisterEndpoints = true
	service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.User(v.Username)}
	own := service.NewServer()
	own.Close()
	v.mux = service.ServeMux
	registry := v.model.Map()
	options := registry.OptionManager()
	options.Setting = slices.DeleteFunc(options.Setting, func(o types.BaseOptionValue) bool {
		return o.GetOptionValue().Key == "config.vmacore.soap.sessionTimeout" // each session would have a goroutine for half an hour
	})
	registry.SessionManager().ValidLogin = func(l *types.Login) bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return l.UserName == v.Username && l.Password == v.password
	}
	var err error
	if v.admin, err = vim25.NewClient(context.Background(), service); err != nil {
		t.Fatalf("ask the simulated vCenter: %v", err)
	}
}

// Port is the port of Address.
func (v *VCenter) Port() string {
	_, port, _ := net.SplitHostPort(v.Address)
	return port
}

// SetPassword changes the password. Sessions live on.
func (v *VCenter) SetPassword(password string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.password = password
}

// DenyTags has the service of tags answer with a status; 0 lets it work again.
func (v *VCenter) DenyTags(status int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.denied = status
}

// Calls is how often a method was called, or all of them where it is empty. Those of tags go by their HTTP method and path.
func (v *VCenter) Calls(method string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, count := range v.calls {
		if method == "" || name == method {
			n += count
		}
	}
	return n
}

// Stop refuses connections and cuts those that are open. Stopping twice is fine.
func (v *VCenter) Stop() {
	v.mu.Lock()
	server, serving := v.server, v.serving
	v.server = nil
	v.mu.Unlock()
	if server == nil {
		return
	}
	_ = server.Close() // it closes what it can
	<-serving
	v.cancelWaits()
}

// Start serves again after Stop, on the same port. All sessions are forgotten, as by a vCenter that was restarted.
func (v *VCenter) Start(t testing.TB) {
	t.Helper()
	v.RevokeSessions(t)
	l, err := net.Listen("tcp", v.Address)
	if err != nil {
		t.Fatalf("listen for vCenter again: %v", err)
	}
	v.serve(l)
}

// Restart is Stop and Start.
func (v *VCenter) Restart(t testing.TB) {
	t.Helper()
	v.Stop()
	v.Start(t)
}

// RevokeSessions ends all sessions that there are, those of tags too, and with them all calls that wait.
func (v *VCenter) RevokeSessions(t testing.TB) {
	t.Helper()
	keys := v.sessions(t)
	v.mu.Lock()
	clear(v.tokens)
	v.mu.Unlock()
	v.cancelWaits() // a session that has ended cannot be asked to
	for _, key := range keys {
		_ = session.NewManager(v.admin).TerminateSession(context.Background(), []string{key}) // it may have ended
	}
}

// Sessions is how many sessions there are.
func (v *VCenter) Sessions(t testing.TB) int {
	t.Helper()
	return len(v.sessions(t))
}

func (v *VCenter) sessions(t testing.TB) (keys []string) {
	t.Helper()
	var m mo.SessionManager
	ref := session.NewManager(v.admin).Reference()
	if err := mo.RetrieveProperties(context.Background(), v.admin, v.admin.ServiceContent.PropertyCollector, ref, &m); err != nil {
		t.Fatalf("list the sessions of vCenter: %v", err)
	}
	for _, s := range m.SessionList {
		keys = append(keys, s.Key)
	}
	return keys
}

func (v *VCenter) serve(l net.Listener) {
	server := &http.Server{Handler: http.HandlerFunc(v.handle), TLSConfig: v.tls, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	serving := make(chan struct{})
	v.mu.Lock()
	v.server, v.serving = server, serving
	v.mu.Unlock()
	go func() {
		defer close(serving)
		_ = server.ServeTLS(l, "", "") // it ends when it is closed
	}()
}
