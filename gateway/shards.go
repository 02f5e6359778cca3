package gateway

import (
	"hash/maphash"
	"iter"
	"maps"
)

// shardCount parts a map that is large and changes one entry at a time: only the shard that is written to is copied.
const shardCount = 128

var shardSeed = maphash.MakeSeed()

// shards is a cow in parts. Its order of iteration means nothing, as that of a map.
type shards[K comparable, V any] struct {
	parts [shardCount]map[K]V
	mine  [shardCount]bool
}

func (s *shards[K, V]) share() { s.mine = [shardCount]bool{} }

func (s *shards[K, V]) shard(k K) uint64 { return maphash.Comparable(shardSeed, k) % shardCount }

func (s *shards[K, V]) get(k K) V { return s.parts[s.shard(k)][k] }

// entries runs over all of them, in no order. Nothing may be written meanwhile.
func (s *shards[K, V]) entries() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, part := range s.parts {
			for k, v := range part {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

func (s *shards[K, V]) lookup(k K) (V, bool) {
	v, ok := s.parts[s.shard(k)][k]
	return v, ok
}

func (s *shards[K, V]) own(i uint64) {
	switch {
	case s.mine[i]:
		return
	case s.parts[i] == nil:
		s.parts[i] = map[K]V{}
	default:
		s.parts[i] = maps.Clone(s.parts[i])
	}
	s.mine[i] = true
}

func (s *shards[K, V]) set(k K, v V) {
	i := s.shard(k)
	s.own(i)
	s.parts[i][k] = v
}

func (s *shards[K, V]) del(k K) {
	i := s.shard(k)
	if _, ok := s.parts[i][k]; ok {
		s.own(i)
		delete(s.parts[i], k)
	}
}

// all returns a map of its own with every entry.
func (s *shards[K, V]) all() map[K]V {
	out := map[K]V{}
	for _, part := range s.parts {
		maps.Copy(out, part)
	}
	return out
}
