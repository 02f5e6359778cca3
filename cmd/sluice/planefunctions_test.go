package main

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestWhatAFinderLeftOutGoesWithIt(t *testing.T) {
	one, two := gateway.FinderKey{Upstream: "one"}, gateway.FinderKey{Upstream: "two"}
	var p omissions
	p.keep(map[gateway.FinderKey]gateway.Finder{one: {}, two: {}})
	p.set(one, []string{"a"})
	p.set(two, []string{"b"})
	p.keep(map[gateway.FinderKey]gateway.Finder{two: {}})
	p.set(one, []string{"its last words"})
	if len(p.lists) != 1 || len(p.of(one)) != 0 || len(p.of(two)) != 1 {
		t.Errorf("left out: %v", p.lists)
	}
}
