package catalog

import (
	"bytes"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/gateway"
)

// functions is what to write of references to functions, in order of keys. Entries go one by one, when the replica asks
// for it: one that it does not know belongs to a block that it has not seen yet, or to a newer release.
func (p *planner) functions(have map[string]Pair, want map[gateway.ID]FunctionEntry, complete bool) (ops []*api.KVTxnOp, refused map[string]string) {
	n := &plan{planner: p, have: have, refused: map[string]string{}}
	for id, e := range want {
		rel, ok := p.functionKeys[id]
		if !ok {
			if rel, ok = functionKey(id); !ok {
				continue
			}
			rel = acceptedFunctionsDir + rel
			p.functionKeys[id] = rel
		}
		old, there := have[rel]
		switch {
		case e.Value == nil:
			if there && complete && old.ModifyIndex == e.Seen {
				n.add(api.KVDeleteCAS, rel, nil, old.ModifyIndex)
			}
			delete(p.functionKeys, id)
		case there && bytes.Equal(old.Value, e.Value):
		case there && old.ModifyIndex != e.Seen && readable(rel, old):
		default:
			n.add(api.KVCAS, rel, e.Value, old.ModifyIndex)
		}
	}
	n.sorted(0)
	return n.ops, n.refused
}

func readable(rel string, p Pair) bool {
	p.Key = strings.TrimPrefix(rel, acceptedFunctionsDir)
	_, _, err := DecodeFunction(p)
	return err == nil
}
