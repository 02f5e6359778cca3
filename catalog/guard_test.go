package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestGuard runs scripts. Each line is an answer: SECOND ROWS [proves|suspects|denies] [final] => what it changes and
// when a consistent read is wanted. The hold is 60 s.
func TestGuard(t *testing.T) {
	for name, script := range map[string]string{
		"new, changed, unchanged": `
			0 a=1 => +a
			1 a=1 b=1 => +b
			2 a=2 b=1 => +a
			3 a=2 b=1 => `,
		"one of many is confirmed at once": `
			0 a=1 b=1 => +a +b
			1 a=1 => settle 1
			1 a=1 final => -b`,
		"a stale answer deletes nothing": `
			0 a=1 b=1 => +a +b
			1 a=1 => settle 1
			1 a=1 b=1 final => `,
		"all gone is held and confirmed": `
			0 a=1 b=1 => +a +b
			1 => settle 61
			30 => settle 61
			61 => settle 61
			61 final => -a -b`,
		"all gone and back": `
			0 a=1 => +a
			1 => settle 61
			31 a=1 => `,
		"all gone and partly back": `
			0 a=1 b=1 => +a +b
			1 => settle 61
			31 a=1 => settle 61
			61 a=1 final => -b`,
		"leaderless": `
			0 a=1 b=1 => +a +b
			1 a=1 denies => settle 61
			61 a=1 denies final => settle 121
			121 a=1 final => -b`,
		"filtered only in the confirming read": `
			0 a=1 b=1 => +a +b
			1 a=1 => settle 1
			1 a=1 denies final => settle 61`,
		"index went back": `
			0 a=1 b=1 => +a +b
			1 a=0 suspects => +a settle 61
			2 a=0 => settle 61
			61 a=0 suspects final => -b`,
		"an empty beginning": `
			0 => 
			1 a=1 => +a`,
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuard(time.Minute, func(a, b string) bool { return a == b })
			for line := range strings.Lines(strings.TrimSpace(script)) {
				in, want, _ := strings.Cut(strings.TrimSpace(line), "=>")
				if got := offerLine(t, g, in); got != strings.TrimSpace(want) {
					t.Fatalf("%s: got %q", strings.TrimSpace(line), got)
				}
			}
		})
	}
}

func offerLine(t *testing.T, g *guard[string], line string) string {
	t.Helper()
	var second int64
	rows, level, final := map[string]string{}, proves, false
	for i, f := range strings.Fields(line) {
		k, v, isRow := strings.Cut(f, "=")
		switch {
		case i == 0:
			if _, err := fmt.Sscan(f, &second); err != nil {
				t.Fatal(err)
			}
		case isRow:
			rows[k] = v
		case f == "final":
			final = true
		default:
			level = map[string]trust{"proves": proves, "suspects": suspects, "denies": denies}[f]
		}
	}
	change := g.offer(time.Unix(second, 0), rows, level, final)
	var out []string
	for _, k := range change.set {
		out = append(out, "+"+k)
	}
	for _, k := range change.gone {
		out = append(out, "-"+k)
	}
	if at, ok := g.settle(); ok {
		out = append(out, fmt.Sprintf("settle %d", at.Unix()))
	}
	return strings.Join(out, " ")
}
