package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
)

// stage is what a scenario runs on: it starts servers, notes results, and ends everything when the scenario does. It is
// a testing.TB, so that package testenv starts the same Consul and Envoy as for tests. Its methods that fail may be
// called from the scenario's goroutine only.
type stage struct {
	testing.TB // for what nobody calls; nil

	name     string
	settings settings
	root     string
	entries  []Entry
	failed   bool
	cleanups []func()
	ctx      context.Context //nolint:containedctx // the stage's life is the context's
	cancel   context.CancelFunc
}

// stageFailure ends a scenario.
type stageFailure string

// Error is what went wrong.
func (f stageFailure) Error() string { return string(f) }

func newStage(name string, o settings, root string) *stage {
	s := &stage{name: name, settings: o, root: root}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *stage) end() {
	s.cancel()
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
	s.cleanups = nil
}

// part runs f on a stage of its own within this one: what it starts ends with it, what it notes is kept.
func (s *stage) part(f func(*stage)) {
	sub := newStage(s.name, s.settings, s.root)
	defer func() {
		r := recover()
		sub.failed = r != nil
		sub.end()
		s.entries = append(s.entries, sub.entries...)
		if r != nil {
			panic(r)
		}
	}()
	f(sub)
}

// Helper implements testing.TB.
func (s *stage) Helper() {}

// Name implements testing.TB.
func (s *stage) Name() string { return s.name }

// Failed implements testing.TB.
func (s *stage) Failed() bool { return s.failed }

// Context implements testing.TB.
func (s *stage) Context() context.Context { return s.ctx }

// Cleanup implements testing.TB.
func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// Logf implements testing.TB.
func (s *stage) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, "   "+format+"\n", args...) }

// Log implements testing.TB.
func (s *stage) Log(args ...any) { fmt.Fprintln(os.Stderr, append([]any{"  "}, args...)...) }

// Errorf implements testing.TB, for goroutines that may not end the scenario: what they did not do will.
func (s *stage) Errorf(format string, args ...any) { s.Logf(format, args...) }

// Fatalf implements testing.TB.
func (s *stage) Fatalf(format string, args ...any) { panic(stageFailure(fmt.Sprintf(format, args...))) }

// Fatal implements testing.TB.
func (s *stage) Fatal(args ...any) { panic(stageFailure(fmt.Sprint(args...))) }

// TempDir implements testing.TB.
func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp(s.root, s.name+"-")
	if err != nil {
		s.Fatalf("make a directory: %v", err)
	}
	return dir
}

// must ends the scenario on an error.
func (s *stage) must(err error) {
	if err != nil {
		s.Fatal(err)
	}
}
