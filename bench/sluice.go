package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// sluice starts the command as a control plane on a Consul, over TLS when that has it, and returns when it listens. The
// child's word is the port for Envoys.
func (s *stage) sluice(agent *testenv.Consul) *child {
	dir, ports := s.TempDir(), testenv.FreePorts(s, 2)
	consul := fmt.Sprintf("  address = %q\n", agent.Addr)
	if agent.TLSAddr != "" {
		consul = fmt.Sprintf("  address = %q\n  scheme  = \"https\"\n  ca_file = %q\n", agent.TLSAddr, agent.CAFile)
	}
	file := filepath.Join(dir, "agent.hcl")
	text := fmt.Sprintf("state_dir = %q\nlog_level = \"warn\"\n\nconsul \"main\" {\n%s}\n\nxds {\n  address = \"127.0.0.1:%d\"\n}\n\nhttp {\n  address = \"127.0.0.1:%d\"\n}\n",
		filepath.Join(dir, "state"), consul, ports[0], ports[1])
	s.must(os.WriteFile(file, []byte(text), 0o600))
	binary, err := filepath.Abs(s.settings.sluice)
	s.must(err)
	cmd := exec.Command(binary, "server", "-config", file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	c := s.start(cmd)
	c.word = strconv.Itoa(ports[0])
	testenv.Eventually(s, 30*time.Second, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+c.word)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, c.log.Tail(2<<10))
		}
		return conn.Close()
	})
	return c
}
