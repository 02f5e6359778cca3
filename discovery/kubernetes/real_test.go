package kubernetes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/fault"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// cluster is a real API server, with the account of the shipped role.
type cluster struct {
	*testenv.Kubernetes
	t     testing.TB
	token string // of the account
}

// collections are where objects of a kind are made.
var collections = map[string]string{
	"Namespace": "/api/v1/namespaces", "ServiceAccount": "/api/v1/namespaces/%s/serviceaccounts",
	"ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
	"RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings",
}

func startCluster(t testing.TB) *cluster {
	c := &cluster{Kubernetes: testenv.StartKubernetes(t), t: t}
	text, err := os.ReadFile("rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var o map[string]any
		err := all.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := collections[o["kind"].(string)]
		if strings.Contains(path, "%s") {
			path = fmt.Sprintf(path, o["metadata"].(map[string]any)["namespace"])
		}
		testenv.Eventually(t, 30*time.Second, func() error { // namespaces and their kin are there a moment after the server
			_, err := c.Do(http.MethodPost, path, o)
			if err != nil && strings.Contains(err.Error(), "AlreadyExists") {
				return nil
			}
			return err
		})
	}
	c.token = c.AccountToken("sluice", "sluice")
	return c
}

func (c *cluster) client(token string) *Client {
	c.t.Helper()
	client, err := New(Config{Address: c.Addr, Token: token, TLS: tlsOf(c.CAFile)})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

const slicesPath = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"

// put makes or replaces a slice.
func (c *cluster) put(o object) {
	c.t.Helper()
	o["apiVersion"] = groupVersion
	name := fmt.Sprint(o["metadata"].(object)["name"])
	if _, err := c.Do(http.MethodPut, slicesPath+"/"+name, o); err != nil {
		c.Must(http.MethodPost, slicesPath, o)
	}
}

// pods makes a service have n pods, in two slices, of which only the second one changes.
func (c *cluster) pods(service string, n int) {
	c.t.Helper()
	halves := [2][]object{{}, {}}
	for i := range n {
		halves[min(i, 1)] = append(halves[min(i, 1)], pod(fmt.Sprint(service, "-", i), fmt.Sprint("10.1.0.", i+1)))
	}
	for i, endpoints := range halves {
		c.put(sliceOf(service, fmt.Sprint(service, "-slice", i), "IPv4", portOf("http", 8080), endpoints...))
	}
}

// realRemote drives the cluster for the suite: the process is frozen, the way to it cut.
type realRemote struct {
	*cluster
	*fault.Proxy
	frozen bool
}

func (r *realRemote) Set(n int) {
	if r.frozen {
		r.Thaw()
	}
	r.frozen = false
	r.Proxy.Set(fault.Pass)
	r.pods("shop", n)
}

func (r *realRemote) Fail() { r.Proxy.Set(fault.Cut) }
func (r *realRemote) Hang() { r.Freeze(); r.frozen = true }

var realPace = pace{
	gather: 10 * time.Millisecond, watch: time.Minute, silence: time.Second, gap: 20 * time.Millisecond,
	pause: 50 * time.Millisecond, longest: 500 * time.Millisecond, lasting: 100 * time.Millisecond, pageSize: 1,
}

// The suite against a real API server, with a token of the shipped role. One server serves all of it: starting it takes
// seconds.
func TestRealSource(t *testing.T) {
	c := startCluster(t)
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			r := &realRemote{cluster: c, Proxy: fault.NewProxy(t, strings.TrimPrefix(c.Addr, "https://"))}
			r.Set(2)
			t.Cleanup(func() { r.Set(2) })
			client, err := New(Config{Address: "https://" + r.Address, Token: c.token, TLS: tlsOf(c.CAFile)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			k := Kind(Options{Clients: []*Client{client}, Timeout: 3 * time.Second, pace: realPace})
			return open(t, k, &Spec{Service: "shop", Port: "http"}), r
		},
		Patience: 20 * time.Second,
		Secrets:  []string{c.token},
		Guard:    Kind(Options{}).Guard,
	})
	t.Run("events", func(t *testing.T) { realEvents(t, c) })
	t.Run("rights", func(t *testing.T) { realRights(t, c) })
	t.Run("an old version", func(t *testing.T) { realGone(t, c) })
}

// realEvents: what happens arrives by the watch, without another list, and across a restart of the API server.
func realEvents(t *testing.T, c *cluster) {
	c.pods("ledger", 2)
	seen := follow(t, open(t, Kind(Options{Clients: []*Client{c.client(c.token)}, pace: realPace}), &Spec{Service: "ledger"}))
	seen.await(2)
	c.put(sliceOf("ledger", "ledger-slice0", "IPv4", portOf("http", 8080), pod("ledger-0", "10.1.0.1", ready(false, true))))
	testenv.Eventually(t, 10*time.Second, func() error {
		if e := seen.await(2); e[0].Health != gateway.Draining {
			return fmt.Errorf("%+v", e[0])
		}
		return nil
	})
	c.Must(http.MethodDelete, slicesPath+"/ledger-slice0", nil)
	seen.await(1)
	seen.noError()
	c.Kill()
	c.Start()
	c.pods("ledger", 3)
	seen.await(3)
}

// realRights: the shipped role is enough, and no more than that.
func realRights(t *testing.T, c *cluster) {
	c.pods("shop", 2)
	client := c.client(c.token)
	k := Kind(Options{Clients: []*Client{client}})
	for _, f := range k.Doctor(t.Context(), []gateway.SourceSpec{&Spec{Service: "shop"}}) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
	text := func(f []discovery.Finding) (out []string) {
		for _, x := range f {
			if !x.OK {
				out = append(out, fmt.Sprint(x.Check, ": ", x.Err))
			}
		}
		return out
	}
	if got := strings.Join(text(k.Doctor(t.Context(), []gateway.SourceSpec{&Spec{Service: "shop", Namespace: "kube-system"}})), "\n"); strings.Count(got, "not allowed") != 2 {
		t.Errorf("in another namespace:\n%s", got)
	}
	stranger := Kind(Options{Clients: []*Client{c.client("a-token-of-nobody")}})
	if got := strings.Join(text(stranger.Doctor(t.Context(), nil)), "\n"); !strings.Contains(got, "401 Unauthorized") {
		t.Errorf("a stranger:\n%s", got)
	}
	if _, err := client.call(t.Context(), 10*time.Second, http.MethodGet, "/api/v1/namespaces/default/secrets", nil, nil); err == nil {
		t.Error("the role reads secrets")
	}
	found, err := k.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, fmt.Sprint(f.Name, " ", f.Count, " ", f.Spec.SourceKey().Query))
	}
	if got := strings.Join(names, ", "); !strings.Contains(got, "shop 2 shop") {
		t.Error(got)
	}
}

// realGone: a version that the server does not keep any more is told as such, and the feed lists.
func realGone(t *testing.T, c *cluster) {
	c.pods("shop", 2)
	f := &feed{client: c.client(c.token), timeout: 5 * time.Second, pace: realPace, state: newState(selection{"shop"})}
	f.state.version = "1"
	seen := follow(t, &source{spec: Spec{Service: "shop"}, feed: f})
	seen.await(2)
	c.pods("shop", 3)
	seen.await(3)
}
