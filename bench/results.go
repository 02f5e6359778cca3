package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Entry is one figure. What was not measured, or is not asked for, is null.
type Entry struct {
	Name   string   `json:"name"`
	Unit   string   `json:"unit"`
	Value  float64  `json:"value"`
	Floor  *float64 `json:"floor"`  // the least that is possible, taken in the same run
	Peer   *float64 `json:"peer"`   // another product, in the same run
	Target *float64 `json:"target"` // the limit, in the same unit
	OK     *bool    `json:"ok"`     // whether the value keeps the target
}

// String is one line.
func (e Entry) String() string {
	show := func(name string, v *float64) string {
		if v == nil {
			return ""
		}
		return fmt.Sprintf("  %s %s", name, number(*v))
	}
	out := fmt.Sprintf("%-64s %s %s%s%s%s", e.Name, number(e.Value), e.Unit, show("floor", e.Floor), show("peer", e.Peer), show("target", e.Target))
	if e.OK != nil && !*e.OK {
		out += "  MISSED"
	}
	return out
}

// note keeps a figure.
func (s *stage) note(e Entry) {
	e.Value = round(e.Value)
	for _, p := range []**float64{&e.Floor, &e.Peer, &e.Target} {
		if *p != nil {
			v := round(**p)
			*p = &v
		}
	}
	s.entries = append(s.entries, e)
}

// atMost gives an entry a limit from above.
func (e Entry) atMost(limit float64) Entry {
	ok := e.Value <= limit
	e.Target, e.OK = &limit, &ok
	return e
}

// atLeast gives an entry a limit from below.
func (e Entry) atLeast(limit float64) Entry {
	ok := e.Value >= limit
	e.Target, e.OK = &limit, &ok
	return e
}

// over gives an entry its floor.
func (e Entry) over(floor float64) Entry {
	e.Floor = &floor
	return e
}

// round keeps four significant digits.
func round(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	if scale < 1 {
		return math.Round(v)
	}
	return math.Round(v*scale) / scale
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// series is latencies of one kind.
type series []time.Duration

func (s series) at(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return ms(sorted[max(i, 0)])
}

func (s series) p50() float64 { return s.at(0.50) }
func (s series) p99() float64 { return s.at(0.99) }

// publish merges figures into the file of results and writes the page's table.
func publish(o settings, measured []Entry) error {
	if o.results == "" {
		return nil
	}
	have, err := readResults(o.results)
	if err != nil {
		return err
	}
	all := merge(have, measured)
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := renameio.WriteFile(o.results, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if o.docs == "" {
		return nil
	}
	return writeTable(o.docs, all)
}

func readResults(path string) ([]Entry, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	var have []Entry
	if err := json.Unmarshal(text, &have); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return have, nil
}

// merge puts new figures in the place of the old ones of their names. The order is that of the groups, which is the
// part of a name before its first comma, and of the names as they were measured.
func merge(have, measured []Entry) []Entry {
	out := slices.Clone(have)
	for _, e := range measured {
		if i := slices.IndexFunc(out, func(x Entry) bool { return x.Name == e.Name }); i >= 0 {
			out[i] = e
		} else {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return out
}

// groups are the beginnings of names, in the order of the page.
var groups = []string{
	"route change", "second of two route changes", "endpoint in", "endpoint out", "one endpoint of 5,000",
	"control plane", "cold start", "request", "throughput", "canary", "JSON to HTML", "Lambda", "gRPC", "5,000 functions", "rotation",
}

func rank(name string) int {
	for i, g := range groups {
		if strings.HasPrefix(name, g) {
			return i
		}
	}
	return len(groups)
}
