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

// onDisk starts the command on a document in a folder, and an Envoy of its gateway "edge". More goes into the agent's
// configuration. The child's word is the port for Envoys.
func (s *stage) onDisk(document, more string) (plane *child, envoy *testenv.Envoy) {
	dir, ports := s.TempDir(), testenv.FreePorts(s, 2)
	docs := filepath.Join(dir, "documents")
	s.must(os.Mkdir(docs, 0o700))
	s.must(os.WriteFile(filepath.Join(docs, "all.hcl"), []byte(document), 0o600))
	file := filepath.Join(dir, "agent.hcl")
	text := fmt.Sprintf("state_dir = %q\nlog_level = \"warn\"\nconfig {\n  path = %q\n}\nxds {\n  address = \"127.0.0.1:%d\"\n}\nhttp {\n  address = \"127.0.0.1:%d\"\n}\n%s",
		filepath.Join(dir, "state"), docs, ports[0], ports[1], more)
	s.must(os.WriteFile(file, []byte(text), 0o600))
	binary, err := filepath.Abs(s.settings.sluice)
	s.must(err)
	cmd := exec.Command(binary, "server", "-config", file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	plane = s.start(cmd)
	plane.word = strconv.Itoa(ports[0])
	testenv.Eventually(s, 30*time.Second, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+plane.word)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, plane.log.Tail(2<<10))
		}
		return conn.Close()
	})
	return plane, s.edge(plane.word)
}

const listening = `gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}
`
