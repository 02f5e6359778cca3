package testenv

import (
	"os/exec"
	"syscall"
)

// endWithTest makes the kernel kill the child when the test binary dies without cleaning up, after a timeout say. The
// signal follows the thread that started the child; a test's main thread lives as long as its process, and Go parks
// threads rather than ending them.
func endWithTest(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// leadGroup puts the child at the head of a process group, so that killGroup reaches what it starts. When the test
// binary dies the child is asked to end, so that it ends its own children.
func leadGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
