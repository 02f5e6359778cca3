// Package script is the template engine inside Envoy: one Lua script, and the compact form in which a route hands its
// program to it. The script's meaning is that of gateway.Program's Send and Receive; docs/template-engine.md describes
// both, and a differential test compares them.
package script

import (
	"embed"
	"fmt"
	"strings"
	"unicode"

	"github.com/sluice-gateway/sluice/gateway"
)

// Key is the entry of LuaPerRoute's filter_context that holds an encoded program.
const Key = "p"

//go:embed lua/*.lua
var files embed.FS

// parts is the script in its order: each part uses the locals of those before it.
var parts = []string{"values", "json", "text", "functions", "eval", "loops", "regex", "message", "lambda", "request", "response", "main"}

// Source is the script. It is the same for every program.
func Source() (string, error) {
	var b strings.Builder
	for _, name := range parts {
		text, err := files.ReadFile("lua/" + name + ".lua")
		if err != nil {
			return "", fmt.Errorf("read the script: %w", err)
		}
		b.Write(text)
	}
	return strings.NewReplacer(
		"{CASES}", "{"+cases(unicode.ToUpper)+", "+cases(unicode.ToLower)+"}",
		"{REASONS}", reasons(),
	).Replace(b.String()), nil
}

// cases is a mapping of characters beyond ASCII as runs of first, last, step and distance.
func cases(to func(rune) rune) string {
	type run struct{ first, last, step, distance rune }
	var runs []run
	for r := rune(0x80); r < 0x20000; r++ {
		d := to(r) - r
		if d == 0 {
			continue
		}
		if n := len(runs) - 1; n >= 0 {
			p := &runs[n]
			step := r - p.last
			if p.distance == d && step <= 2 && (p.step == step || p.first == p.last) {
				p.last, p.step = r, step
				continue
			}
		}
		runs = append(runs, run{r, r, 1, d})
	}
	var b strings.Builder
	for i, r := range runs {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d,%d,%d,%d", r.first, r.last, r.step, r.distance)
	}
	return "{" + b.String() + "}"
}

// reasons is the table of what answers of the engine say.
func reasons() string {
	var b strings.Builder
	b.WriteByte('{')
	for _, r := range gateway.Reasons() {
		fmt.Fprintf(&b, "%s=%q,", r, gateway.ReasonText(r))
	}
	return b.String() + "}"
}
