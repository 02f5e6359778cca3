package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

const (
	tableBegin = "<!-- measured: begin -->"
	tableEnd   = "<!-- measured: end -->"
)

// writeTable puts the figures between the page's markers.
func writeTable(page string, all []Entry) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("read page: %w", err)
	}
	head, rest, ok := strings.Cut(string(text), tableBegin)
	_, tail, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return fmt.Errorf("page %s has no markers %s and %s", page, tableBegin, tableEnd)
	}
	out := head + tableBegin + "\n" + table(all, time.Now()) + tableEnd + tail
	if err := renameio.WriteFile(page, []byte(out), 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func table(all []Entry, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Last written on %s, on %d × %s, Linux.\n\n", now.UTC().Format(time.DateOnly), runtime.NumCPU(), processor())
	b.WriteString("| what | sluice | floor | peer | target | kept |\n|---|--:|--:|--:|--:|---|\n")
	for _, e := range all {
		kept := ""
		if e.OK != nil {
			kept = map[bool]string{true: "yes", false: "**no**"}[*e.OK]
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s | %s | %s |\n", e.Name, number(e.Value), e.Unit, cell(e.Floor), cell(e.Peer), cell(e.Target), kept)
	}
	return b.String()
}

func cell(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}

// number writes four digits at most, and thousands with a comma.
func number(v float64) string {
	text := strconv.FormatFloat(round(v), 'f', -1, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

// processor is the model as the system names it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
