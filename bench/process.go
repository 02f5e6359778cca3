package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// roleArg makes this program one of its own children: `bench role NAME …`.
const roleArg = "role"

// roles are what this program can be besides itself. Each writes "ready" and perhaps a word to standard output, answers
// each line of standard input with a line, and ends with its standard input.
var roles = map[string]func(args []string) error{
	"floor":    floorRole,
	"upstream": upstreamRole,
	"plane":    planeRole,
	"fleet":    fleetRole,
	"bare":     bareRole,

	"documents": documentsRole,
	"functions": functionsRole,
	"service":   serviceRole,
}

func runRole(args []string) int {
	if len(args) == 0 || roles[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "bench: unknown role")
		return 3
	}
	if err := roles[args[0]](args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %v\n", args[0], err)
		return 1
	}
	return 0
}

// ready tells the parent, and serve answers its lines until it goes away.
func ready(word string) { fmt.Println(strings.TrimSpace("ready " + word)) }

func serve(answer func(line string) string) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(answer(lines.Text()))
	}
}

// child is a process that a stage started.
type child struct {
	pid   int
	word  string // what it said with "ready"
	stdin io.WriteCloser
	lines *bufio.Scanner
	log   *testenv.Output
	s     *stage
}

// role starts this program in a role and waits until it is ready.
func (s *stage) role(name string, args ...string) *child {
	self, err := os.Executable()
	s.must(err)
	c := s.start(exec.Command(self, append([]string{roleArg, name}, args...)...))
	c.word = strings.TrimSpace(strings.TrimPrefix(c.read(), "ready"))
	return c
}

// start starts a command that ends with the stage.
func (s *stage) start(cmd *exec.Cmd) *child {
	c := &child{log: &testenv.Output{}, s: s}
	cmd.Stderr = c.log
	dieWithParent(cmd)
	stdin, err := cmd.StdinPipe()
	s.must(err)
	stdout, err := cmd.StdoutPipe()
	s.must(err)
	if err := cmd.Start(); err != nil {
		s.Fatalf("start %s: %v", filepath.Base(cmd.Path), err)
	}
	c.pid, c.stdin, c.lines = cmd.Process.Pid, stdin, bufio.NewScanner(stdout)
	s.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: its error says just that
		if s.failed {
			s.Logf("%s wrote:\n%s", strings.Join(cmd.Args, " "), c.log.Tail(4<<10))
		}
	})
	return c
}

// ask sends a line and returns the answer.
func (c *child) ask(line string) string {
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		c.s.Fatalf("ask %q: %v", line, err)
	}
	return c.read()
}

func (c *child) read() string {
	if !c.lines.Scan() {
		c.s.Fatalf("a child ended: %s", c.log.Tail(2<<10))
	}
	return c.lines.Text()
}

// cpu is the processor time that the process has used.
func (c *child) cpu() time.Duration { return c.s.cpuOf(c.pid) }

func (s *stage) cpuOf(pid int) time.Duration {
	d, err := cpuTime(pid)
	s.must(err)
	return d
}

// memory is the resident memory of a process, in MB.
func (s *stage) memory(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	s.must(err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			s.must(err)
			return float64(kb) / 1024
		}
	}
	s.Fatalf("process %d has no resident memory", pid)
	return 0
}
