package control

import (
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// blame narrows down why a unit cannot be translated: each entry of its table is built by itself, and the routes whose
// entries can be built are innocent. Without a table, or where no entry fails alone, all forms stay in question.
func (l *Loop) blame(in gateway.Inputs) []gateway.FormRef {
	var good, bad []gateway.FormRef
	try := func(one gateway.Inputs, tr *gateway.TableRoute) {
		if _, err := l.cfg.Translator.Build(one); err != nil {
			bad = append(bad, tr.Form)
		} else {
			good = append(good, tr.Form)
		}
	}
	for _, tr := range in.Table {
		one := in
		one.Table = []*gateway.TableRoute{tr}
		try(one, tr)
	}
	for _, h := range in.Hosts {
		for _, tr := range h.Table {
			one := in
			one.Hosts = []gateway.ScopeHost{{Host: h.Host, Table: []*gateway.TableRoute{tr}}}
			try(one, tr)
		}
	}
	if len(bad) == 0 {
		return in.Forms
	}
	return keep(in.Forms, func(f gateway.FormRef) bool { return slices.Contains(bad, f) || !slices.Contains(good, f) })
}
