package console

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// status sums the world up.
func (s *Server) status() Status {
	w := s.cfg.World.World()
	frozen, reason := s.cfg.Facts.Frozen()
	out := Status{
		Version: s.cfg.Version, Time: s.now(), Origin: s.cfg.Origin, Gate: s.cfg.Facts.Gate(), Filters: s.cfg.Facts.Generation(), Frozen: frozen, Reason: reason,
		Blocks: map[string]int{}, Documents: documentsOf(w), Problems: []Block{}, BadValues: badValuesOf(w),
		Nodes: summaryOf(w, s.cfg.Facts.Nodes()),
	}
	out.Gate.Waiting = OrEmpty(out.Gate.Waiting)
	out.Finders, out.Secrets = OrEmpty(s.cfg.Facts.Finders()), s.secrets(w)
	list := s.sources(w)
	out.Sources, out.Watches = list.Sources, list.Watches
	for _, b := range w.Blocks() {
		out.Blocks[string(b.State)]++
		if b.State == gateway.StateRejected || b.State == gateway.StateRetired || len(b.Diags)+len(b.Degraded) > 0 {
			out.Problems = append(out.Problems, blockOf(b))
		}
	}
	for i := range out.Documents {
		quote(w, out.Documents[i].Diagnostics)
	}
	for i := range out.BadValues {
		quote(w, out.BadValues[i].Diagnostics)
	}
	return out
}

// quote adds the lines that no block has, from the documents as they are now.
func quote(w *gateway.World, list []Diagnostic) {
	docs := w.Documents()
	for i, d := range list {
		if d.Range == nil || d.Snippet != "" || docs[d.Range.Document] == nil {
			continue
		}
		lines := strings.Split(docs[d.Range.Document].Text, "\n")
		if n := d.Range.Start.Line - 1; n >= 0 && n < len(lines) {
			list[i].Snippet = lines[n]
		}
	}
}

func documentsOf(w *gateway.World) []Document {
	out := []Document{}
	docs := w.Documents()
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		d := docs[name]
		j := Document{
			Name: name, Index: d.Index, Modify: d.Modify, Broken: d.Broken,
			Blocks: map[string]int{}, Diagnostics: NewDiagnostics(d.Diags, nil),
		}
		out = append(out, j)
	}
	find := func(name string) (int, bool) {
		return slices.BinarySearchFunc(out, name, func(d Document, name string) int { return cmp.Compare(d.Name, name) })
	}
	for _, b := range w.Blocks() {
		shown := cmp.Or(b.Newest, b.InForce)
		if shown == nil {
			continue
		}
		own := shown.Written.Document()
		if i, ok := find(own); ok {
			out[i].Blocks[string(b.State)]++
			out[i].Diagnostics = append(out[i].Diagnostics, NewDiagnostics(b.Diags, shown.Written)...)
		}
		for _, d := range b.Diags { // of another document that defines the block, too
			if d.Subject == nil || d.Subject.Filename == own {
				continue
			}
			if i, ok := find(d.Subject.Filename); ok {
				out[i].Diagnostics = append(out[i].Diagnostics, NewDiagnostics(hcl.Diagnostics{d}, nil)...)
			}
		}
	}
	return out
}

func badValuesOf(w *gateway.World) []BadValue {
	out := []BadValue{}
	for _, v := range w.BadValues() {
		out = append(out, BadValue{Key: v.Key, Diagnostics: NewDiagnostics(v.Diags, nil)})
	}
	return out
}

// summaryOf counts the Envoys of each gateway, of those in force that have none too.
func summaryOf(w *gateway.World, nodes []Node) []NodeSummary {
	byGateway := map[string]*NodeSummary{}
	for _, g := range w.Gateways() {
		byGateway[g.Name] = &NodeSummary{Gateway: g.Name}
	}
	for _, n := range nodes {
		s := byGateway[n.Gateway]
		if s == nil {
			s = &NodeSummary{Gateway: n.Gateway}
			byGateway[n.Gateway] = s
		}
		s.Connected++
		if n.InFlight > 0 || n.Waiting > 0 {
			s.Behind++
		}
		if n.LastNack != "" {
			s.Refusing++
		}
	}
	out := []NodeSummary{}
	for _, name := range slices.Sorted(maps.Keys(byGateway)) {
		out = append(out, *byGateway[name])
	}
	return out
}

// sources adds to what the sources say of themselves which upstreams they feed.
func (s *Server) sources(w *gateway.World) SourceList {
	feeds := map[gateway.SourceKey][]string{}
	for _, u := range w.Upstreams() {
		for _, src := range u.Sources {
			k := src.Spec.SourceKey()
			if !slices.Contains(feeds[k], u.Name) {
				feeds[k] = append(feeds[k], u.Name)
			}
		}
	}
	list := SourceList{Sources: OrEmpty(s.cfg.Facts.Sources()), Watches: OrEmpty(s.cfg.Facts.Watches())}
	for i, src := range list.Sources {
		list.Sources[i].Upstreams = OrEmpty(feeds[gateway.SourceKey{Kind: src.Kind, Query: src.Query}])
	}
	return list
}

func (s *Server) blocks(kind string) []Block {
	out := []Block{}
	for _, b := range s.cfg.World.World().Blocks() {
		if kind == "" || b.Kind == kind {
			out = append(out, blockOf(b))
		}
	}
	return out
}

// dump is the world in a form from which it can be built again, without endpoints and without what the environment and
// files of this machine hold.
func dump(w *gateway.World) WorldDump {
	out := WorldDump{Documents: []DumpedDocument{}, Values: map[string]string{}, Functions: []DumpedFunctions{}}
	docs := map[string]*DumpedDocument{}
	for _, b := range w.Blocks() {
		if b.InForce == nil || b.State == gateway.StateRetired {
			continue
		}
		written := b.InForce.Written
		d := docs[written.Document()]
		if d == nil {
			d = &DumpedDocument{Name: written.Document()}
			if live := w.Documents()[d.Name]; live != nil {
				d.Index, d.Modify, d.Text = live.Index, live.Modify, live.Text
			}
			docs[d.Name] = d
		}
		d.Blocks = append(d.Blocks, DumpedBlock{Kind: b.Kind, Name: b.Name, Start: positionOf(written.Range().Start), Text: written.Text()})
	}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		slices.SortStableFunc(docs[name].Blocks, func(a, b DumpedBlock) int { return cmp.Compare(a.Start.Byte, b.Start.Byte) })
		out.Documents = append(out.Documents, *docs[name])
	}
	for id, raw := range w.Leaves() {
		if id.Kind == gateway.KindValue && raw != nil {
			out.Values[id.Name] = *raw
		}
	}
	found := w.Found()
	for _, k := range slices.SortedFunc(maps.Keys(found), gateway.CompareFinderKey) {
		out.Functions = append(out.Functions, DumpedFunctions{k.Upstream, k.Kind, k.Query, found[k]})
	}
	return out
}

// OrEmpty makes an empty list of a nil one, for JSON.
func OrEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) now() time.Time {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return time.Now()
}
