package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// process stands in for a test: the simulators are those of the project's tests, which end with the test that started
// them. A failure ends the process.
type process struct {
	testing.TB // what simulators never ask for

	ctx      context.Context //nolint:containedctx // a test has one, and simulators ask it for it
	mu       sync.Mutex
	cleanups []func()
	dirs     []string
}

func newProcess(ctx context.Context) *process { return &process{ctx: ctx} }

// end does what was asked for the end, the last first.
func (p *process) end() {
	p.mu.Lock()
	cleanups, dirs := p.cleanups, p.dirs
	p.cleanups, p.dirs = nil, nil
	p.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		f()
	}
	for _, dir := range dirs {
		_ = os.RemoveAll(dir) // it is in the folder for temporary files
	}
}

func (*process) Helper()                    {}
func (*process) Name() string               { return "platforms" }
func (*process) Failed() bool               { return false }
func (p *process) Context() context.Context { return p.ctx }

func (*process) Log(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (*process) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (p *process) Error(args ...any)             { p.Fatal(args...) }

func (p *process) Errorf(format string, args ...any) { p.Fatalf(format, args...) }
func (p *process) Fatalf(format string, args ...any) { p.Fatal(fmt.Sprintf(format, args...)) }

func (p *process) Fatal(args ...any) {
	p.Log(args...)
	p.end()
	os.Exit(2)
}

func (p *process) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *process) TempDir() string {
	dir, err := os.MkdirTemp("", "platforms-")
	if err != nil {
		p.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirs = append(p.dirs, dir)
	return dir
}
