package main

import (
	"fmt"
	"slices"
	"strings"
)

// line is one line of a difference: ' ' kept, '-' gone, '+' new.
type line struct {
	mark byte
	text string
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// maxDiffCells bounds the table of diffLines; larger texts are shown as replaced.
const maxDiffCells = 4 << 20

// diffLines finds the longest common lines of two texts.
func diffLines(a, b []string) []line {
	var out []line
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		out = append(out, line{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	var tail []line
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, line{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	slices.Reverse(tail)
	return append(append(out, middle(a, b)...), tail...)
}

func middle(a, b []string) (out []line) {
	if len(a)*len(b) > maxDiffCells {
		for _, s := range a {
			out = append(out, line{'-', s})
		}
		for _, s := range b {
			out = append(out, line{'+', s})
		}
		return out
	}
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width) // of the rests from i and j
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if x == y {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, line{' ', a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[(i+1)*width+j] >= common[i*width+j+1]):
			out = append(out, line{'-', a[i]})
			i++
		default:
			out = append(out, line{'+', b[j]})
			j++
		}
	}
	return out
}

const around = 3

// hunks are the changed stretches with some lines around them.
func hunks(all []line) (out []string) {
	for at := 0; at < len(all); {
		first := slices.IndexFunc(all[at:], func(l line) bool { return l.mark != ' ' })
		if first < 0 {
			return out
		}
		first += at
		last, end := first, first
		for end < len(all) && end <= last+2*around {
			if all[end].mark != ' ' {
				last = end
			}
			end++
		}
		from, to := max(at, first-around), min(len(all), last+1+around)
		out = append(out, hunk(all, from, to))
		at = to
	}
	return out
}

func hunk(all []line, from, to int) string {
	oldStart, newStart := 1, 1
	for _, l := range all[:from] {
		if l.mark != '+' {
			oldStart++
		}
		if l.mark != '-' {
			newStart++
		}
	}
	var oldLen, newLen int
	var b strings.Builder
	for _, l := range all[from:to] {
		if l.mark != '+' {
			oldLen++
		}
		if l.mark != '-' {
			newLen++
		}
		fmt.Fprintf(&b, "%c%s\n", l.mark, l.text)
	}
	return fmt.Sprintf("@@ -%d,%d +%d,%d @@\n", oldStart, oldLen, newStart, newLen) + b.String()
}
