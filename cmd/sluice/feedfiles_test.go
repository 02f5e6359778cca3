package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/run"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

const greeting = `
gateway "edge" {
  listener "http" {
    port = 8080
  }
}

route "hello" {
  respond {
    body = file("hello.txt")
  }
}
`

// runPlane runs a control plane on the documents of a directory until the test ends.
func runPlane(t *testing.T, dir string) *plane {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	p, err := newPlane(planeConfig{log: hclog.NewNullLogger(), paths: []string{dir}, loopback: true, xdsListener: listen(), apiListener: listen()})
	if err != nil {
		t.Fatal(err)
	}
	var g run.Group
	stop := make(chan struct{})
	g.Add(func() error { <-stop; return nil }, func(error) {})
	p.add(&g)
	done := make(chan error, 1)
	go func() { done <- g.Run() }()
	t.Cleanup(func() {
		close(stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

// body is what the route says.
func (p *plane) body(name string) string {
	b := p.loop.World().Block(gateway.ID{Kind: gateway.KindRoute, Name: name})
	if b == nil || b.InForce == nil {
		return ""
	}
	return b.InForce.Value.Instances[name].(*gateway.Route).Respond.Body
}

func (p *plane) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, func() error {
		if !ok() {
			return context.DeadlineExceeded
		}
		return nil
	})
}

// Documents on disk, the files that they read, and mistakes in them: everything is live when it is saved.
func TestDocumentsOnDiskAreLive(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("hello.txt", "one")
	write("edge.hcl", greeting)
	p := runPlane(t, dir)
	p.eventually(t, "the gate", func() bool { return p.xds.IsOpen() })
	if got := p.body("hello"); got != "one" {
		t.Errorf("at the opening of the gate the body is %q", got)
	}
	if l := p.loop.World().Gateway("edge").Listeners[0]; l.Address != "127.0.0.1" {
		t.Errorf("the listener is on %q", l.Address)
	}

	if !p.alive(t.Context(), 10*time.Second) {
		t.Error("the loop does not live")
	}

	write("hello.txt", "two")
	p.eventually(t, "the changed file", func() bool { return p.body("hello") == "two" })

	write("more/bye.hcl", "route \"bye\" {\n  match {\n    path = \"/bye\"\n  }\n\n  respond {\n    body = \"bye\"\n  }\n}\n")
	p.eventually(t, "a document in a new directory", func() bool { return p.body("bye") == "bye" })

	write("edge.hcl", strings.Replace(greeting, "respond {", "respnd {", 1))
	p.eventually(t, "the mistake", func() bool {
		b := p.loop.World().Block(gateway.ID{Kind: gateway.KindRoute, Name: "hello"})
		return b != nil && b.State == gateway.StateRejected
	})
	if got := p.body("hello"); got != "two" {
		t.Errorf("with a mistake the body is %q", got)
	}

	if err := os.Remove(filepath.Join(dir, "more", "bye.hcl")); err != nil {
		t.Fatal(err)
	}
	p.eventually(t, "the removal", func() bool { return p.body("bye") == "" })
}
