package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shops() *Spec { return &Spec{Labels: map[string]string{"service": "shop"}, Port: 8080} }

func kindOf(t testing.TB, f *fake, p pace) discovery.Kind {
	t.Helper()
	return Kind(Options{Clients: []*Client{clientOf(t, f, "")}, Timeout: 300 * time.Millisecond, pace: p})
}

func open(t testing.TB, k discovery.Kind, s *Spec) discovery.Source {
	t.Helper()
	source, err := k.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			f := startFake(t)
			f.Set(2)
			return open(t, kindOf(t, f, quick), shops()), f
		},
		Patience: 3 * time.Second,
		Guard:    Kind(Options{}).Guard,
	})
}

// follower runs a source again and again, as the Manager does.
type follower struct {
	t    *testing.T
	last chan []gateway.Endpoint // holds one: the latest
	errs chan error
	stop func()
}

func follow(t *testing.T, source discovery.Source) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t: t, last: make(chan []gateway.Endpoint, 1), errs: make(chan error, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := source.Run(ctx, func(e []gateway.Endpoint) {
				select {
				case <-f.last:
				default:
				}
				f.last <- e
			}, func() {})
			if ctx.Err() == nil {
				f.errs <- err
			}
		}
	}()
	f.stop = func() { cancel(); <-done }
	t.Cleanup(f.stop)
	return f
}

// await waits until the source says what is wanted: health by health.
func (f *follower) await(want ...gateway.Health) {
	f.t.Helper()
	deadline := time.After(5 * time.Second)
	var got []gateway.Health
	for {
		select {
		case list := <-f.last:
			got = nil
			for _, e := range list {
				got = append(got, e.Health)
			}
			if cmp.Equal(got, want) {
				return
			}
		case <-deadline:
			f.t.Fatalf("never %v, but %v", want, got)
		}
	}
}

func (f *follower) failure(text string) {
	f.t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case err := <-f.errs:
			if strings.Contains(err.Error(), text) {
				return
			}
			f.t.Logf("another error: %v", err)
		case <-deadline:
			f.t.Fatalf("no error with %q", text)
		}
	}
}

// What an engine tells counts at once: a container that is told to stop takes no more traffic before it has ended.
func TestEvents(t *testing.T) {
	f := startFake(t)
	f.Set(2)
	p := quick
	p.resync = time.Hour
	seen := follow(t, open(t, kindOf(t, f, p), shops()))
	seen.await(gateway.Healthy, gateway.Healthy)
	f.change(func() {
		f.rows[0] = shop(0, row{"Status": "Up 3 minutes (unhealthy)"})
		f.tell("health_status: unhealthy", idOf(0))
	})
	seen.await(gateway.Critical, gateway.Healthy)
	f.Set(2)
	seen.await(gateway.Healthy, gateway.Healthy)
	f.say("kill", idOf(1), "signal", "15")
	seen.await(gateway.Healthy, gateway.Draining)
	seen.await(gateway.Healthy, gateway.Healthy) // it did not stop
	f.say("kill", idOf(1), "signal", "15")
	seen.await(gateway.Healthy, gateway.Draining)
	f.change(func() {
		f.rows = f.rows[:1]
		f.tell("die", idOf(1))
	})
	seen.await(gateway.Healthy)
	select {
	case err := <-seen.errs:
		t.Error(err)
	default:
	}
}

// A signal that does not end a program, HUP say, is no word of its end.
func TestSignals(t *testing.T) {
	for signal, ends := range map[string]bool{"1": false, "2": true, "3": true, "9": true, "10": false, "15": true, "28": false} {
		b := &burst{ring: make(chan struct{}, 1), stopping: map[string]time.Time{}}
		h := happening{Type: "container", Action: "kill"}
		h.Actor.ID, h.Actor.Attributes = idOf(1), map[string]string{"signal": signal}
		b.take(h)
		if stopping, again := b.expire(time.Now(), time.Minute); stopping[idOf(1)] != ends || (again > 0) != ends {
			t.Errorf("%s: %v, %s", signal, stopping, again)
		}
		if stopping, _ := b.expire(time.Now().Add(time.Hour), time.Minute); len(stopping) > 0 {
			t.Errorf("%s, an hour later: %v", signal, stopping)
		}
	}
}

// Blocks that come and go at the same time all have their answer, and leave nothing behind.
func TestComingAndGoing(t *testing.T) {
	f := startFake(t)
	f.Set(2)
	k := kindOf(t, f, quick)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 40 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				answered := false
				_ = open(t, k, shops()).Run(ctx, func(e []gateway.Endpoint) { answered = len(e) == 2; cancel() }, func() {})
				cancel()
				if !answered {
					t.Error("no answer")
					return
				}
			}
		})
	}
	all.Wait()
}

// What is no list is an error, and never an empty one.
func TestWhatIsNoList(t *testing.T) {
	for _, text := range []string{``, `null`, `{}`, `[null]`, `[{}]`, `[{"Id":"0123456789ab"},{"Id":"0123456789ab"}]`, `[{"Id":"0123456789ab"}`, `<html>`} {
		if list, err := parseList([]byte(text)); err == nil {
			t.Errorf("%s: %v", text, list)
		}
	}
	if list, err := parseList([]byte(`[]`)); err != nil || list == nil {
		t.Error(list, err)
	}
}

// An event that was lost is made good by the next list.
func TestResync(t *testing.T) {
	f := startFake(t)
	f.Set(1)
	seen := follow(t, open(t, kindOf(t, f, quick), shops()))
	seen.await(gateway.Healthy)
	f.mu.Lock()
	f.rows = append(f.rows, shop(1))
	f.mu.Unlock()
	seen.await(gateway.Healthy, gateway.Healthy)
}

func TestStreamsThatBreak(t *testing.T) {
	for m, text := range map[mode]string{cuts: "ended the stream", nonsense: "what came is none", longLines: "token too long", fails: "500 Internal Server Error: the engine is ill", halves: "unexpected EOF"} {
		f := startFake(t)
		f.Set(1)
		p := quick
		p.pause, p.longest = 50*time.Millisecond, 200*time.Millisecond
		seen := follow(t, open(t, kindOf(t, f, p), shops()))
		seen.await(gateway.Healthy)
		before, began := f.count(""), time.Now()
		f.set(m)
		seen.failure(text)
		seen.failure(text)
		if n, most := f.count("")-before, 9+4*int(time.Since(began)/(25*time.Millisecond)); n > most {
			t.Errorf("%s: %d calls in %s", text, n, time.Since(began))
		}
		f.Set(2)
		seen.await(gateway.Healthy, gateway.Healthy)
		seen.stop()
	}
}

// The blocks of an engine share a stream and a list, and one that ends disturbs nobody.
func TestOneStreamForAll(t *testing.T) {
	f := startFake(t)
	f.Set(2)
	p := quick
	p.resync = time.Hour
	k := kindOf(t, f, p)
	a := follow(t, open(t, k, shops()))
	a.await(gateway.Healthy, gateway.Healthy)
	b := follow(t, open(t, k, &Spec{Labels: map[string]string{"version": "1"}, Port: 80}))
	b.await(gateway.Healthy, gateway.Healthy)
	if lists, streams := f.count("/containers/json"), f.count("/events"); lists != 1 || streams != 1 {
		t.Errorf("%d lists, %d streams", lists, streams)
	}
	a.stop()
	f.Set(1)
	b.await(gateway.Healthy)
	b.stop()
	testenv.Eventually(t, 5*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.streams > 0 {
			return errors.New("a stream is open that nobody needs")
		}
		return nil
	})
}

// An engine is asked by the newest version of the API that both know.
func TestVersions(t *testing.T) {
	for has, want := range map[string]string{"1.52": "/v1.44/", "1.41": "/v1.41/", "2.0": "/v1.44/"} {
		f := startFake(t)
		f.version = has
		f.Set(1)
		follow(t, open(t, kindOf(t, f, quick), shops())).await(gateway.Healthy)
		if f.count(want+"containers/json") == 0 || f.count(want+"events") == 0 {
			t.Errorf("%s: %v", has, f.calls)
		}
	}
	f := startFake(t)
	f.version = ""
	follow(t, open(t, kindOf(t, f, quick), shops())).failure("what answers there is none")
}

// TLS both ways, over TCP.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	testenv.WriteCertificates(t, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	f := startFake(t)
	f.Set(2)
	s := httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	cfg, err := (tlsfiles.Config{CAFile: in("ca.pem"), CertFile: in("server.pem"), KeyFile: in("server-key.pem")}).Read("")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ClientCAs, cfg.ClientAuth = cfg.RootCAs, 4 // verified
	s.TLS = cfg
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	if err := os.Rename(in("client.pem"), in("cert.pem")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(in("client-key.pem"), in("key.pem")); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DOCKER_HOST": "tcp://" + s.Listener.Addr().String(), "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": dir}
	c, err := New(Config{}.WithEnv(func(name string) string { return env[name] }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	k := Kind(Options{Clients: []*Client{c}, pace: quick})
	follow(t, open(t, k, shops())).await(gateway.Healthy, gateway.Healthy)
	for _, x := range k.Doctor(t.Context(), []gateway.SourceSpec{shops()}) {
		if !x.OK {
			t.Errorf("%+v", x)
		}
	}
}

func TestDoctorAndDiscover(t *testing.T) {
	f := startFake(t)
	f.Set(3)
	f.rows = append(f.rows,
		shop(3, row{"Labels": map[string]string{"com.docker.compose.project": "p", "com.docker.compose.service": "Ledger.v2"}, "Ports": nil}),
		shop(4, row{"Labels": nil}))
	k := kindOf(t, f, quick)
	found, err := k.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range found {
		got = append(got, fmt.Sprint(x.Name, " ", x.Count, " ", x.Spec.SourceKey().Query, " ", x.Covered(shops())))
	}
	want := []string{
		`ledger-v2 1 label:com.docker.compose.project=p label:com.docker.compose.service=Ledger.v2 port=80 false`,
		"shop 3 label:service=shop port=8080 true",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	bad := func(specs ...gateway.SourceSpec) (out []string) {
		for _, x := range k.Doctor(t.Context(), specs) {
			if !x.OK {
				out = append(out, fmt.Sprint(x.Err))
			}
		}
		return out
	}
	other := shops()
	other.Network = "db"
	none := &Spec{Labels: map[string]string{"service": "none"}, Port: 80}
	wrong := shops()
	wrong.Connection = "x"
	if got := bad(shops(), other, none, wrong); len(got) != 3 || !strings.Contains(strings.Join(got, "\n"), `not in the network "db", but in web`) {
		t.Error(got)
	}
	f.Fail()
	if got := bad(); len(got) != 1 || !strings.Contains(got[0], "the engine is ill") {
		t.Error(got)
	}
	if _, err := k.Discover(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestEndpoint(t *testing.T) {
	net := func(names ...string) row {
		all := row{}
		for i, n := range names {
			all[n] = row{"IPAddress": fmt.Sprint("10.0.0.", i+1)}
		}
		return row{"NetworkSettings": row{"Networks": all}}
	}
	ports := func(list ...row) row { return row{"Ports": list} }
	published := *shops()
	published.Published = true
	db := *shops()
	db.Network = "db"
	for name, c := range map[string]struct {
		spec Spec
		row  row
		want string
	}{
		"plain":           {*shops(), shop(0), "172.18.0.2:8080 passing"},
		"healthy":         {*shops(), shop(0, row{"Status": "Up 1 second (healthy)"}), "172.18.0.2:8080 passing"},
		"starting":        {*shops(), shop(0, row{"Status": "Up 1 second (health: starting)"}), "172.18.0.2:8080 critical"},
		"unhealthy":       {*shops(), shop(0, row{"Health": row{"Status": "unhealthy"}}), "172.18.0.2:8080 critical"},
		"none":            {*shops(), shop(0, row{"Health": row{"Status": "none"}}), "172.18.0.2:8080 passing"},
		"paused":          {*shops(), shop(0, row{"State": "paused"}), "172.18.0.2:8080 critical"},
		"network":         {db, shop(0, net("web", "db")), "10.0.0.2:8080 passing"},
		"several":         {*shops(), shop(0, net("web", "db")), "network must name one of db, web"},
		"another":         {db, shop(0), `not in the network "db", but in web`},
		"no network":      {*shops(), shop(0, net()), "in no network"},
		"no address":      {*shops(), shop(0, row{"NetworkSettings": row{"Networks": row{"web": row{}}}}), `no address in the network "web"`},
		"IPv6":            {*shops(), shop(0, row{"NetworkSettings": row{"Networks": row{"web": row{"GlobalIPv6Address": "fd00::2"}}}}), "fd00::2:8080 passing"},
		"of the machine":  {*shops(), shop(0, row{"HostConfig": row{"NetworkMode": "host"}}, net("host")), "192.0.2.1:8080 passing"},
		"published":       {published, shop(0, ports(row{"IP": "0.0.0.0", "PrivatePort": 8080, "PublicPort": 32768, "Type": "tcp"}, row{"IP": "::", "PrivatePort": 8080, "PublicPort": 32768, "Type": "tcp"})), "192.0.2.1:32768 passing"},
		"published on":    {published, shop(0, ports(row{"IP": "10.9.0.1", "PrivatePort": 8080, "PublicPort": 80, "Type": "tcp"})), "10.9.0.1:80 passing"},
		"published as":    {published, shop(0, ports(row{"IP": "0.0.0.0", "PrivatePort": 8080, "PublicPort": 53, "Type": "udp"})), "port 8080 is not published"},
		"not published":   {published, shop(0), "port 8080 is not published"},
		"a broken answer": {*shops(), shop(0, row{"NetworkSettings": row{"Networks": row{"web": row{"IPAddress": "x"}}}}), `"x" is no IP address`},
	} {
		f := &fake{rows: []row{c.row}}
		list, err := parseList([]byte(mustJSON(t, f.rows)))
		if err != nil {
			t.Fatal(err)
		}
		endpoints, err := c.spec.endpoints(list, nil, "192.0.2.1")
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprintf("%s:%d %s", endpoints[0].Address, endpoints[0].Port, endpoints[0].Health)
		}
		if !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "unix /var/run/docker.sock 127.0.0.1"},
		{Config{Host: "tcp://10.0.0.1:2375"}, "tcp 10.0.0.1:2375 10.0.0.1"},
		{Config{Host: "tcp://engine:2376", Machine: "10.0.0.9", TLS: tlsfiles.Config{CAFile: "x"}}, "tcp engine:2376 10.0.0.9"},
		{Config{Host: "ssh://x"}, "ssh is not supported"},
		{Config{Host: "tcp://x"}, "no address of an engine"},
		{Config{Host: "/var/run/docker.sock"}, "no address of an engine"},
		{Config{Machine: "engine"}, "no IP address of the engine's machine"},
		{Config{TLS: tlsfiles.Config{CAFile: "x"}}, "a socket has no TLS"},
		{Config{Host: "tcp://x:1", TLS: tlsfiles.Config{CertFile: "x"}}, "go together"},
	} {
		cfg := c.cfg.WithEnv(func(string) string { return "" })
		err := cfg.Check()
		got := fmt.Sprint(err)
		if err == nil {
			network, address := cfg.dial()
			got = network + " " + address + " " + cfg.Machine
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c.cfg, got)
		}
	}
}

func TestCheckAndKey(t *testing.T) {
	labels := map[string]string{"a": "b"}
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Labels: labels, Port: 80}, ""},
		{Spec{Port: 80}, "Missing labels"},
		{Spec{Labels: map[string]string{"a=b": ""}, Port: 80}, "Invalid label"},
		{Spec{Labels: labels, Port: 80, Network: "x", Published: true}, "Unexpected network"},
	} {
		diags := c.spec.Check(map[string]hcl.Range{})
		if c.want == "" && len(diags) != 0 || c.want != "" && (len(diags) != 1 || diags[0].Summary != c.want) {
			t.Errorf("%+v: %v", c.spec, diags)
		}
	}
	all := []Spec{
		{Labels: labels, Port: 80}, {Labels: labels, Port: 81}, {Labels: map[string]string{"a": "c"}, Port: 80}, {Labels: labels, Port: 80, Network: "x"},
		{Labels: labels, Port: 80, Published: true}, {Labels: labels, Port: 80, Connection: "x"}, {Labels: map[string]string{"network": "x"}, Port: 80},
	}
	keys := map[gateway.SourceKey]bool{}
	for _, s := range all {
		keys[s.SourceKey()] = true
	}
	if len(keys) != len(all) {
		t.Errorf("%v", keys)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte(`[{"Id":"0123456789abcdef","Names":["/a"],"Labels":{"service":"shop"},"NetworkSettings":{"Networks":{"web":{"IPAddress":"10.0.0.1"}}}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseList(text)
		if err != nil {
			return
		}
		endpoints, _ := shops().endpoints(list, nil, "127.0.0.1")
		for _, e := range endpoints {
			if e.ID == "" || e.Address == "" || e.Port == 0 {
				t.Errorf("%+v", e)
			}
		}
		if !same(list, list) {
			t.Error("not itself")
		}
	})
}
