package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// ready says where a gateway answers, and what to try next.
func (d *devRun) ready(name string) {
	d.printing.Lock()
	defer d.printing.Unlock()
	out, w := d.app.out, d.plane.loop.World()
	g := w.Gateway(name)
	if g == nil {
		return
	}
	fmt.Fprintf(out, "\n%s\n", d.app.paint(green, "gateway "+name+" takes traffic"))
	for _, l := range g.Listeners {
		fmt.Fprintf(out, "  %-10s http://127.0.0.1:%d\n", l.Name, l.Port)
	}
	api := "http://" + d.plane.cfg.apiListener.Addr().String()
	fmt.Fprintf(out, "  %-10s %s\n", "API", api)
	if d.consul != nil {
		fmt.Fprintf(out, "  %-10s %s\n", "Consul", d.consul.url)
	}
	fmt.Fprintln(out, "\nTry:")
	for _, line := range curls(w, g) {
		fmt.Fprintln(out, "  "+line)
	}
	prefix := ""
	if api != "http://"+defaultAddress {
		prefix = "SLUICE_ADDR=" + api + " "
	}
	for _, command := range []string{"routes", "status"} {
		fmt.Fprintf(out, "  %s%s %s\n", prefix, d.app.self, command)
	}
	if d.consul != nil {
		fmt.Fprintf(out, "  CONSUL_HTTP_ADDR=%s consul kv put sluice/routes/NAME.hcl @NAME.hcl\n", d.consul.url)
	} else {
		fmt.Fprintf(out, "  edit a document in %s and save it: it is live at once\n", d.path)
	}
	fmt.Fprintln(out, "Ctrl-C ends everything.")
}

// curls are a few requests that routes of the gateway take.
func curls(w *gateway.World, g *gateway.Gateway) (out []string) {
	seen := map[string]bool{}
	routes := console.Routes(w, console.RouteFilter{Gateway: g.Name})
	slices.SortStableFunc(routes, func(a, b console.Route) int { return cmp.Compare(effort(a), effort(b)) })
	for _, r := range routes {
		if seen[r.Name] || r.Variant != "" || len(out) == 3 || r.Match.Kind == "regex" || len(r.Match.Headers)+len(r.Match.Query) > 0 {
			continue
		}
		seen[r.Name] = true
		cmd := "curl -i"
		if len(r.Match.Methods) > 0 && !slices.Contains(r.Match.Methods, "GET") {
			cmd += " -X " + r.Match.Methods[0]
		}
		if r.Host != "*" {
			cmd += " -H 'Host: " + strings.Replace(r.Host, "*.", "www.", 1) + "'"
		}
		port := 0
		for _, l := range g.Listeners {
			if l.Name == r.Listener {
				port = l.Port
			}
		}
		out = append(out, fmt.Sprintf("%s http://127.0.0.1:%d%s", cmd, port, samplePath(r.Match)))
	}
	return out
}

// effort says how likely a request without a body is to please whoever answers.
func effort(r console.Route) int {
	switch {
	case len(r.Match.Methods) > 0 && !slices.Contains(r.Match.Methods, "GET"):
		return 2
	case r.Match.Kind == "prefix":
		return 1
	}
	return 0
}

// samplePath is a path that a match takes.
func samplePath(m console.Match) string {
	if m.Kind != "template" {
		return m.Path
	}
	parts, err := gateway.ParsePathTemplate(m.Path)
	if err != nil {
		return m.Path
	}
	var b strings.Builder
	n := 1
	for _, p := range parts {
		if p.Literal != "" {
			b.WriteString(p.Literal)
			continue
		}
		fmt.Fprint(&b, n*6)
		n++
	}
	return b.String()
}

// print says what each change of the documents did: which routes differ, and what is wrong.
func (d *devRun) print(ctx context.Context) error {
	changed, end := d.plane.loop.Subscribe()
	defer end()
	before := d.plane.loop.World()
	said := map[string]bool{}
	waiting := patience{}
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-again.C:
		}
		now := d.plane.loop.World()
		if now == before && len(waiting) == 0 {
			continue
		}
		d.printChange(before, now, said, waiting)
		before = now
		if len(waiting) > 0 {
			again.Reset(time.Second)
		}
	}
}

// patience remembers since when a block waits for functions that are not known yet. That is worth a word only once it
// takes long: after a start, and after an upstream is written, it is so for a moment.
type patience map[string]time.Time

// longWait is when it takes long.
const longWait = 5 * time.Second

// sift leaves out what waits since a short while.
func (p patience) sift(diags hclv2.Diagnostics) (out hclv2.Diagnostics) {
	still := map[string]bool{}
	for _, x := range diags {
		key := diagnosticKey(x)
		if gateway.Waits(x) {
			still[key] = true
			if p[key].IsZero() {
				p[key] = time.Now()
			}
			if time.Since(p[key]) < longWait {
				continue
			}
		}
		out = append(out, x)
	}
	maps.DeleteFunc(p, func(key string, _ time.Time) bool { return !still[key] })
	return out
}

func (d *devRun) printChange(before, now *gateway.World, said map[string]bool, waiting patience) {
	d.printing.Lock()
	defer d.printing.Unlock()
	if len(before.Gateways()) > 0 {
		for _, c := range console.DiffRoutes(before, now, bothUnits(before, now)) {
			d.app.showRouteChange(c)
		}
	}
	diags, texts := problems(now)
	fresh, current := unsaid(waiting.sift(diags), said)
	fixed := len(said) > 0 && len(current) == 0
	clear(said)
	maps.Copy(said, current)
	if len(fresh) > 0 {
		d.app.diagnose(fresh, texts)
		if fresh.HasErrors() {
			fmt.Fprintln(d.app.errs, "What was good before stays in force.")
		}
	}
	if fixed {
		fmt.Fprintln(d.app.out, d.app.paint(green, "all documents are in force"))
	}
}

// problems are the diagnostics of all documents of a world, with their texts.
func problems(w *gateway.World) (hclv2.Diagnostics, map[string][]byte) {
	var diags hclv2.Diagnostics
	texts := map[string][]byte{}
	for name, doc := range w.Documents() {
		diags = append(diags, doc.Diags...)
		texts[name] = []byte(doc.Text)
	}
	for _, b := range w.Blocks() {
		diags = append(diags, b.Diags...)
	}
	for _, v := range w.BadValues() {
		diags = append(diags, v.Diags...)
	}
	diags = hcl.Dedup(diags)
	slices.SortStableFunc(diags, compareDiagnostics)
	return diags, texts
}

func bothUnits(a, b *gateway.World) []gateway.Unit {
	all := append(a.AllUnits(), b.AllUnits()...)
	slices.SortFunc(all, gateway.CompareUnit)
	return slices.Compact(all)
}

// showRouteChange prints one line of a plan.
func (a *app) showRouteChange(c console.RouteChange) {
	where := fmt.Sprintf("%s.%s %s %s", c.Gateway, c.Listener, c.Host, c.Match)
	switch c.Action {
	case "add":
		fmt.Fprintf(a.out, "%s %s → %s\n", a.paint(green, "+"), where, c.After)
	case "remove":
		fmt.Fprintf(a.out, "%s %s → %s\n", a.paint(red, "-"), where, c.Before)
	default:
		fmt.Fprintf(a.out, "%s %s: %s → %s\n", a.paint(yellow, "~"), where, c.Before, c.After)
	}
}
