package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/envoy"
)

// devAgent is a Consul that lives as long as sluice dev, with everything in memory.
type devAgent struct {
	url  string
	cmd  *exec.Cmd
	gone chan struct{}
}

// devConsul starts a Consul, puts the documents at path into its KV, and returns a client of it.
func (a *app) devConsul(ctx context.Context, path string, log hclog.Logger) (*devAgent, *catalog.Client, error) {
	binary, err := findConsul(a.env)
	if err != nil {
		return nil, nil, err
	}
	agent, err := startConsul(ctx, binary)
	if err != nil {
		return nil, nil, err
	}
	client, err := catalog.New(catalog.Config{Addresses: []string{agent.url}, Logger: log.Named("catalog")})
	if err == nil {
		err = agent.await(ctx, client.API())
	}
	if err == nil {
		err = seed(ctx, client, path)
	}
	if err != nil {
		agent.stop()
		return nil, nil, err
	}
	return agent, client, nil
}

// findConsul looks at $CONSUL_PATH, PATH and the tool cache.
func findConsul(env func(string) string) (string, error) {
	if p := env("CONSUL_PATH"); p != "" {
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("find consul: $CONSUL_PATH: %w", err)
		}
		return p, nil
	}
	if p, err := exec.LookPath("consul"); err == nil {
		return p, nil
	}
	if found, err := filepath.Glob(filepath.Join(envoy.CacheDir(), "consul-*", "consul")); err == nil && len(found) > 0 {
		return found[len(found)-1], nil
	}
	return "", errors.New("find consul: it is not on the PATH; install it, or set $CONSUL_PATH")
}

func startConsul(ctx context.Context, binary string) (*devAgent, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	if l, err := net.Listen("tcp", "127.0.0.1:8500"); err == nil {
		_ = l.Close()
		ports[0] = "8500"
	}
	args := []string{
		"agent", "-dev", "-bind", "127.0.0.1", "-client", "127.0.0.1", "-log-level", "error", "-http-port", ports[0],
		"-server-port", ports[1], "-serf-lan-port", ports[2], "-serf-wan-port", "-1", "-dns-port", "-1", "-grpc-port", "-1", "-grpc-tls-port", "-1",
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for sluice, which stops it last
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start consul: %w", err)
	}
	agent := &devAgent{url: "http://127.0.0.1:" + ports[0], cmd: cmd, gone: make(chan struct{})}
	go func() {
		defer close(agent.gone)
		_ = cmd.Wait()
	}()
	return agent, nil
}

// await returns when the agent has a leader.
func (d *devAgent) await(ctx context.Context, c *api.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if leader, err := c.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx)); err == nil && leader != "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for consul at %s: %w", d.url, ctx.Err())
		case <-d.gone:
			return errors.New("consul has ended by itself: run it by hand to see why")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the agent and waits for it.
func (d *devAgent) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.gone:
	case <-time.After(3 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.gone
	}
}

// seed puts the documents at path into KV.
func seed(ctx context.Context, c *catalog.Client, path string) error {
	files, err := readPaths([]string{path})
	if err != nil {
		return err
	}
	var changes []catalog.KVChange
	for _, f := range files {
		changes = append(changes, catalog.KVChange{Key: "routes/" + relativeKey(path, f.name), Value: f.text})
	}
	if err := c.Apply(ctx, changes, catalog.ApplyOptions{}); err != nil {
		return fmt.Errorf("put the documents into consul: %w", err)
	}
	return nil
}

// relativeKey is the key of a document below routes/: its path below the root.
func relativeKey(root, name string) string {
	rel, err := filepath.Rel(filepath.Clean(root), filepath.FromSlash(name))
	if err != nil || rel == "." || strings.HasPrefix(rel, "..") {
		rel = filepath.Base(name)
	}
	return filepath.ToSlash(rel)
}

func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
