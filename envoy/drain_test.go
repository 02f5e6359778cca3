package envoy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// balance passes connections on as a load balancer does that checks health: to the first of its targets while ready
// says that it takes traffic, to the second otherwise.
func balance(t *testing.T, ready func() bool, first, second string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				target := second
				if ready() {
					target = first
				}
				pipe(client, target)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

func pipe(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(client, server)
		client.Close()
	})
	io.Copy(server, client)
	server.(*net.TCPConn).CloseWrite()
	back.Wait()
}

func TestDrainUnderLoadFailsNoRequest(t *testing.T) {
	a, b := testenv.StartUpstream(t, "a"), testenv.StartUpstream(t, "b")
	ports := testenv.FreePorts(t, 2)
	adminURL, address := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	leaving := background(t, Options{
		Path: testenv.EnvoyPath(t), BootstrapJSON: bootstrap(ports[0], ports[1], a.Port()),
		DrainTime: 20 * time.Second, Linger: 300 * time.Millisecond, Concurrency: 2,
	})
	within(t, 30*time.Second, "readiness", leaving.ready)
	staying := testenv.StartEnvoy(t, testenv.EnvoyOptions{Bootstrap: bootstrap(0, 0, b.Port())})

	check := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	ready := func() bool {
		resp, err := check.Get(adminURL + "/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	url := "http://" + balance(t, ready, address, staying.Listener(t, "web"))
	fast := testenv.Load(t.Context(), t, url, testenv.LoadOptions{Connections: 8, Rate: 800})
	fast.WaitRequests(t, 200)
	a.Set(testenv.Answer{Delay: 400 * time.Millisecond}) // what is under way outlasts the linger
	fast.WaitRequests(t, 8)

	leaving.stop()
	if err := within(t, 15*time.Second, "the drain", leaving.ended); err != nil {
		t.Errorf("the drain returned %v", err)
	}
	fast.WaitRequests(t, 200)
	r := fast.Stop()
	if r.Failed() != 0 {
		t.Errorf("the load saw %s", r)
	}
	if a.Requests() < 200 || b.Requests() < 200 || r.Dialed > 16 {
		t.Errorf("a answered %d, b %d, over %d connections", a.Requests(), b.Requests(), r.Dialed)
	}
}

func TestDrainEndsWithItsDeadline(t *testing.T) {
	u := testenv.StartUpstream(t, "a")
	port := testenv.FreePort(t)
	counts := make(chan uint64, 10)
	r := background(t, Options{
		Path: testenv.EnvoyPath(t), BootstrapJSON: bootstrap(0, port, u.Port()), DrainTime: time.Second, Concurrency: 1,
		Draining: func(n uint64) { counts <- n },
	})
	within(t, 30*time.Second, "readiness", r.ready)
	idle, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)) // a client that does not leave
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	fmt.Fprint(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := idle.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r.stop()
	if err := within(t, 5*time.Second, "the drain", r.ended); err != nil {
		t.Errorf("the drain returned %v", err)
	}
	if took := time.Since(start); took < time.Second {
		t.Errorf("it waited only %s for its client", took)
	}
	if n := within(t, time.Second, "the count of clients", counts); n == 0 {
		t.Error("no client was counted")
	}
}

func TestDrainFinishesWhatIsUnderWay(t *testing.T) {
	u := testenv.StartUpstream(t, "a")
	address := testenv.Unused(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	r := background(t, Options{
		Path: testenv.EnvoyPath(t), BootstrapJSON: bootstrap(0, number, u.Port()), DrainTime: 300 * time.Millisecond, Concurrency: 1,
	})
	within(t, 30*time.Second, "readiness", r.ready)
	u.Set(testenv.Answer{Hang: true})
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answered := make(chan error, 1)
	go func() {
		resp, err := client.Get("http://" + address)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("answered %s", resp.Status)
			}
		}
		answered <- err
	}()
	testenv.Eventually(t, 5*time.Second, func() error {
		if u.Requests() == 0 {
			return errors.New("the request has not arrived")
		}
		return nil
	})
	r.stop()
	testenv.Eventually(t, 5*time.Second, func() error { // after the deadline the port is closed
		c, err := net.Dial("tcp", address)
		if err != nil {
			return nil
		}
		c.Close()
		return errors.New("connections are still accepted")
	})
	u.Set(testenv.Answer{})
	if err := within(t, 5*time.Second, "the answer", answered); err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if err := within(t, 5*time.Second, "the end", r.ended); err != nil {
		t.Errorf("the drain returned %v", err)
	}
}
