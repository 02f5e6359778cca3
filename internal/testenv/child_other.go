//go:build !linux

package testenv

import (
	"os/exec"
	"syscall"
)

func endWithTest(*exec.Cmd) {}

func leadGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
