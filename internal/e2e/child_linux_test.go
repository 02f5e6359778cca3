package e2e

import (
	"os/exec"
	"syscall"
)

// endWithTest makes the kernel kill the child when the test binary dies without cleaning up.
func endWithTest(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
