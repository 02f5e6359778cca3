package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const (
	peerKey   = "peer/routes"
	peerProbe = "probe-peer"
)

// peer starts consul-template and HAProxy on a Consul: the paths that are the lines of peerKey lead to the upstream, all
// others to the instances of peerProbe. It returns nil where HAProxy is not on the path; consul-template is built from
// tools/peers unless it is there.
func (s *stage) peer(agent *testenv.Consul, upstreamPort string) *prober {
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		s.Logf("no peer: haproxy is not on the path")
		return nil
	}
	renderer, err := s.consulTemplate()
	if err != nil {
		s.Logf("no peer: %v", err)
		return nil
	}
	dir, port := s.TempDir(), testenv.FreePort(s)
	template, config, pid := filepath.Join(dir, "haproxy.tmpl"), filepath.Join(dir, "haproxy.cfg"), filepath.Join(dir, "pid")
	s.must(os.WriteFile(template, []byte(fmt.Sprintf(peerTemplate, port, peerKey, upstreamPort, peerProbe)), 0o600))
	// The first rendering starts HAProxy, each later one reloads it as its service manager would.
	run := filepath.Join(dir, "reload")
	s.must(os.WriteFile(run, []byte("#!/bin/sh\n[ -s "+pid+" ] && exec kill -USR2 $(cat "+pid+")\nexit 0\n"), 0o700)) //nolint:gosec // a script
	cmd := exec.Command(renderer, "-consul-addr", agent.Addr, "-template", template+":"+config+":"+run)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	s.start(cmd)
	testenv.Eventually(s, 20*time.Second, func() error {
		_, err := os.Stat(config)
		return err
	})
	s.start(exec.Command(haproxy, "-W", "-f", config, "-p", pid))
	testenv.Eventually(s, 20*time.Second, func() error {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
	p := s.prober(port)
	p.forgiving = true // a reload closes connections
	return p
}

// consulTemplate is the one on the path, or one built for this run.
func (s *stage) consulTemplate() (string, error) {
	if p, err := exec.LookPath("consul-template"); err == nil {
		return p, nil
	}
	p := filepath.Join(s.TempDir(), "consul-template")
	build := exec.Command("go", "build", "-C", "tools/peers", "-o", p, "github.com/hashicorp/consul-template")
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build consul-template: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return p, nil
}

const peerTemplate = `defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 1s
frontend http
  bind 127.0.0.1:%d
{{- range split "\n" (keyOrDefault %q "/first") }}
  use_backend up if { path {{ . }} }
{{- end }}
  default_backend probe
backend up
  server one 127.0.0.1:%s
backend probe
{{- range service %q }}
  server {{ .ID }} {{ .Address }}:{{ .Port }}
{{- end }}
`
