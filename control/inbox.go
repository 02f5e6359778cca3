package control

import (
	"maps"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/server"
)

// inbox gathers what arrives while the loop is busy. The endpoint lane is taken before all else; of one key only the
// newest value counts, answers of Envoys keep their order.
type inbox struct {
	mu   sync.Mutex
	wake chan struct{} // one is enough: something is new

	endpoints map[gateway.SourceKey][]gateway.Endpoint
	forget    map[gateway.SourceKey]bool
	drained   map[string]bool
	laneSince time.Time // when the first value of the endpoint lane came

	config      gateway.Input
	configSince time.Time
	answered    map[string]bool
	frozen      *bool

	answers []answer
}

// answer is one thing that an Envoy said.
type answer struct {
	node  server.Node
	kind  answerKind
	keys  []server.Versioned
	words string
}

type answerKind uint8

const (
	connected answerKind = iota
	disconnected
	acked
	nacked
)

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) put(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Documents takes new versions of documents; nil says that one is gone. It does not block.
func (l *Loop) Documents(docs map[string]*gateway.Document) {
	l.in.put(func() { put(&l.in.config.Documents, docs, &l.in.configSince) })
}

// Leaves takes values, variables and file contents; nil says that one is absent. It does not block.
func (l *Loop) Leaves(values map[gateway.ID]*string) {
	l.in.put(func() { put(&l.in.config.Leaves, values, &l.in.configSince) })
}

// Ledger takes accepted forms that another replica wrote; nil says that one is gone. It does not block.
func (l *Loop) Ledger(forms map[gateway.ID]*gateway.Form) {
	l.in.put(func() { put(&l.in.config.Ledger, forms, &l.in.configSince) })
}

// Led takes what references to functions led to, as some replica wrote it beside the ledger; nil says that an entry is
// gone. It does not block.
func (l *Loop) Led(references map[gateway.ID]*gateway.Led) {
	l.in.put(func() { put(&l.in.config.Led, references, &l.in.configSince) })
}

// Quarantine takes forms that an Envoy of some replica refused; nil lifts one. It does not block.
func (l *Loop) Quarantine(forms map[gateway.FormRef]*string) {
	l.in.put(func() { put(&l.in.config.Quarantine, forms, &l.in.configSince) })
}

// Generation takes the generation of the filter list that every replica can serve. It does not block.
func (l *Loop) Generation(n int) {
	l.in.put(func() { l.in.config.Generation = n })
}

// Endpoints takes the whole truth of sources; nil says that nobody asks for one any more. It does not block.
func (l *Loop) Endpoints(changed map[gateway.SourceKey][]gateway.Endpoint) {
	l.in.put(func() {
		put(&l.in.endpoints, changed, &l.in.laneSince)
		for k, list := range changed {
			if list == nil {
				delete(l.in.endpoints, k)
				if l.in.forget == nil {
					l.in.forget = map[gateway.SourceKey]bool{}
				}
				l.in.forget[k] = true
			} else {
				delete(l.in.forget, k)
			}
		}
	})
}

// Functions takes the whole truth of finders; nil says that nobody asks for one any more. It does not block.
func (l *Loop) Functions(changed map[gateway.FinderKey][]*gateway.Function) {
	l.in.put(func() { put(&l.in.config.Functions, changed, &l.in.configSince) })
}

// SecretVersions takes the versions of secrets; "" is one that has expired. It does not block.
func (l *Loop) SecretVersions(versions map[gateway.ID]string) {
	l.in.put(func() { put(&l.in.config.Secrets, versions, &l.in.configSince) })
}

// Drain takes an endpoint (ADDRESS:PORT) out for everyone, or puts it back. It does not block.
func (l *Loop) Drain(addr string, on bool) {
	l.in.put(func() { put(&l.in.drained, map[string]bool{addr: on}, &l.in.laneSince) })
}

// Freeze stops the loop from accepting changes of documents and values; what arrives meanwhile waits. It does not block.
func (l *Loop) Freeze(on bool) { l.in.put(func() { l.in.frozen = &on }) }

// Answered says that an expected input has delivered its first truth. It does not block.
func (l *Loop) Answered(input string) {
	l.in.put(func() { put(&l.in.answered, map[string]bool{input: true}, nil) })
}

// Connected implements server.Observer.
func (l *Loop) Connected(n server.Node) { l.hear(answer{node: n, kind: connected}) }

// Disconnected implements server.Observer.
func (l *Loop) Disconnected(n server.Node) { l.hear(answer{node: n, kind: disconnected}) }

// Acked implements server.Observer.
func (l *Loop) Acked(n server.Node, keys []server.Versioned) {
	l.hear(answer{node: n, kind: acked, keys: keys})
}

// Nacked implements server.Observer.
func (l *Loop) Nacked(n server.Node, keys []server.Versioned, words string) {
	l.hear(answer{node: n, kind: nacked, keys: keys, words: words})
}

func (l *Loop) hear(a answer) { l.in.put(func() { l.in.answers = append(l.in.answers, a) }) }

// put merges values into a map of the inbox, newest last, and notes when the first one came.
func put[K comparable, V any](into *map[K]V, values map[K]V, since *time.Time) {
	if since != nil && since.IsZero() {
		*since = time.Now()
	}
	if *into == nil {
		*into = make(map[K]V, len(values))
	}
	maps.Copy(*into, values)
}

// lane takes what waits in the endpoint lane.
func (b *inbox) lane() (in gateway.Input, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in = gateway.Input{Endpoints: b.endpoints, Drained: b.drained}
	for k := range b.forget {
		in.Forget = append(in.Forget, k)
	}
	since = b.laneSince
	b.endpoints, b.forget, b.drained, b.laneSince = nil, nil, nil, time.Time{}
	return in, since
}

// answersNow takes what Envoys said.
func (b *inbox) answersNow() []answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.answers
	b.answers = nil
	return out
}

// settings takes which inputs answered and whether changes are frozen.
func (b *inbox) settings() (answered map[string]bool, frozen *bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	answered, frozen = b.answered, b.frozen
	b.answered, b.frozen = nil, nil
	return answered, frozen
}

// changes takes what waits in the config lane; while frozen, all but documents and values, which go on waiting: they are
// shown, not to be changed.
func (b *inbox) changes(frozen bool) (in, waiting gateway.Input, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in, since = b.config, b.configSince
	b.config, b.configSince = gateway.Input{}, time.Time{}
	if frozen {
		waiting.Documents, waiting.Leaves = maps.Clone(in.Documents), maps.Clone(in.Leaves)
		b.config.Documents, b.config.Leaves, b.configSince = in.Documents, in.Leaves, since
		in.Documents, in.Leaves = nil, nil
	}
	return in, waiting, since
}
