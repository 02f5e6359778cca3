package control

import (
	"cmp"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/store"
)

// suspects are the forms that may be why a resource was refused: those that its last good version did not hold, and
// of these rather the ones that no other resource has proven. Where none was ever good, what many share is spared: a
// gateway or an upstream that is taken out takes all their routes along. What others name comes first, since it can be
// tried before them.
func (b *book) suspects(k store.Key, forms []gateway.FormRef) []gateway.FormRef {
	var good []gateway.FormRef
	if e := b.entries[k]; e != nil {
		good = e.good
	}
	all := keep(forms, func(f gateway.FormRef) bool { return !slices.Contains(good, f) })
	proven := b.provenBeside(k, all)
	out := keep(all, func(f gateway.FormRef) bool { return !proven[f] })
	if len(out) == 0 {
		out = all
	}
	if good == nil {
		if own := keep(out, ownsRequests); len(own) > 0 {
			out = own
		} else if own := keep(all, ownsRequests); len(own) > 0 {
			out = own
		}
	}
	slices.SortStableFunc(out, func(x, y gateway.FormRef) int { return cmp.Compare(trialOrder[x.Kind], trialOrder[y.Kind]) })
	return out
}

// trialOrder puts what is named before what names it.
var trialOrder = map[string]int{
	gateway.KindUpstream: 1, gateway.KindFunction: 2, gateway.KindPolicy: 3, gateway.KindGateway: 4, gateway.KindRoute: 5,
}

// ownsRequests says that a form is of a block that stands for some requests only.
func ownsRequests(f gateway.FormRef) bool {
	return f.Kind == gateway.KindRoute || f.Kind == gateway.KindPolicy
}

// provenBeside are those of the forms that the last good version of another resource holds.
func (b *book) provenBeside(k store.Key, forms []gateway.FormRef) map[gateway.FormRef]bool {
	asked := map[gateway.FormRef]bool{}
	for _, f := range forms {
		asked[f] = true
	}
	out := map[gateway.FormRef]bool{}
	for key, e := range b.entries {
		if key == k || e.version == "" {
			continue
		}
		for _, f := range e.good {
			if asked[f] {
				out[f] = true
			}
		}
	}
	return out
}

// anyOf says that an Envoy of one of the gateways is connected; with no gateways, nobody is needed.
func (b *book) anyOf(gateways []string) bool {
	if len(gateways) == 0 {
		return true
	}
	for _, n := range b.nodes {
		if slices.Contains(gateways, n.Gateway) {
			return true
		}
	}
	return false
}

func keep(forms []gateway.FormRef, ok func(gateway.FormRef) bool) (out []gateway.FormRef) {
	for _, f := range forms {
		if ok(f) {
			out = append(out, f)
		}
	}
	return out
}
