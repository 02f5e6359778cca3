package translate

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"

	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/gateway"
)

// memoLimit is how many routes' configurations are remembered.
const memoLimit = 20_000

// transcoding is the transcoder's configuration for one route. It is never changed.
type transcoding struct {
	config *anypb.Any
	byRule bool // it reads the client's own request; else messages that the script makes
}

// memo remembers transcodings: a host is built anew whenever one of its routes changes, and making a descriptor costs
// more than all the rest of a route. What is remembered is what would be made again, so nobody can tell. A nil memo
// remembers nothing. It is safe for concurrent use.
type memo struct {
	mu  sync.Mutex
	all map[xxh3.Uint128]transcoding
}

func (m *memo) get(key xxh3.Uint128) (transcoding, bool) {
	if m == nil {
		return transcoding{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.all[key]
	return t, ok
}

func (m *memo) put(key xxh3.Uint128, t transcoding) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil || len(m.all) >= memoLimit {
		m.all = map[xxh3.Uint128]transcoding{}
	}
	m.all[key] = t
}

// transcodingKey is the identity of all that a transcoding is made of.
func transcodingKey(match *gateway.Match, g *gateway.GRPCCall, moved bool) xxh3.Uint128 {
	h := xxh3.New()
	say := func(parts ...string) {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(parts))))
		for _, p := range parts {
			_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(p))))
			_, _ = h.WriteString(p)
		}
	}
	flag := func(b bool) string {
		if b {
			return "1"
		}
		return ""
	}
	say(g.Method.Service, g.Method.Method, g.Stream, flag(g.Method.ClientStream), flag(g.Message.IsZero()), flag(moved))
	say(match.Method, match.Path, string([]byte{byte(match.PathKind())}))
	say(match.Methods...)
	for _, c := range match.Query {
		say("query", c.Name)
	}
	for _, v := range slices.Sorted(maps.Keys(g.Fields)) {
		say("field", v, g.Fields[v])
	}
	_, _ = h.Write(g.Method.Descriptor)
	return h.Sum128()
}
