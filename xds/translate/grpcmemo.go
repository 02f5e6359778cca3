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

// memoLimit is how much a memo remembers, in bytes.
const memoLimit = 64 << 20

// transcoding is the transcoder's configuration for one route. It is never changed.
type transcoding struct {
	config *anypb.Any
	byRule bool // it reads the client's own request; else messages that the script makes
}

// memo remembers what calls of gRPC methods are made of: a host is built anew whenever one of its routes changes, and
// making a descriptor costs more than all the rest of a route. What is remembered is what would be made again, so nobody
// can tell. A nil memo remembers nothing. It is safe for concurrent use.
type memo[V any] struct {
	mu   sync.Mutex
	all  map[xxh3.Uint128]V
	held int // bytes
}

func (m *memo[V]) get(key xxh3.Uint128) (v V, ok bool) {
	if m == nil {
		return v, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok = m.all[key]
	return v, ok
}

// put remembers a value that has about so many bytes. Where there is no room, all others are forgotten.
func (m *memo[V]) put(key xxh3.Uint128, v V, size int) {
	const besides = 500 // of the map and the value's fields
	if size += besides; m == nil || size > memoLimit {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.all[key]; again {
		return
	}
	if m.held += size; m.all == nil || m.held > memoLimit {
		m.all, m.held = map[xxh3.Uint128]V{}, size
	}
	m.all[key] = v
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
