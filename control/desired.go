package control

import (
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
)

// recorder remembers what it made of forms and documents, so that a record costs what changed, and a look at each of the
// rest. Blocks, forms and documents are immutable: what is the same pointer says the same.
type recorder struct {
	l        *Loop
	entries  map[gateway.ID]encoded
	versions map[string]version
	statuses map[string]said
	led      map[gateway.ID]ledValue
}

type encoded struct {
	form  *gateway.Form
	doc   *gateway.Document
	entry catalog.LedgerEntry
}

type version struct {
	doc *gateway.Document
	v   catalog.Version
}

// said is the status of a document, and what it was made of.
type said struct {
	doc  *gateway.Document
	of   verdicts
	text []byte
}

func newRecorder(l *Loop) *recorder {
	return &recorder{
		l: l, entries: map[gateway.ID]encoded{}, versions: map[string]version{}, statuses: map[string]said{}, led: map[gateway.ID]ledValue{},
	}
}

func (r *recorder) desired(w *gateway.World, complete bool) catalog.Desired {
	docs, ledger := w.Documents(), w.Ledger()
	d := catalog.Desired{
		Accepted: make(map[gateway.ID]catalog.LedgerEntry, len(ledger)), Status: make(map[string][]byte, len(docs)),
		History: make(map[string]catalog.Version, len(docs)), Values: map[string][]byte{}, Functions: r.functions(w), Complete: complete,
	}
	for id, f := range ledger {
		if e, ok := r.entry(w, docs, id, f); ok {
			d.Accepted[id] = e
		}
	}
	all := byDocument(w)
	for name, doc := range docs {
		key, ok := catalog.DocumentKey(name)
		if !ok {
			continue
		}
		d.Status[key] = r.status(doc, all[name])
		if have := r.versions[name]; have.doc != doc {
			r.versions[name] = version{doc, catalog.Version{N: doc.Modify, Text: []byte(doc.Text)}}
		}
		d.History[key] = r.versions[name].v
	}
	for _, bad := range w.BadValues() {
		d.Values[bad.Key] = valueStatus(bad)
	}
	maps.DeleteFunc(r.versions, func(name string, _ version) bool { return docs[name] == nil })
	maps.DeleteFunc(r.statuses, func(name string, _ said) bool { return docs[name] == nil })
	maps.DeleteFunc(r.entries, func(id gateway.ID, _ encoded) bool { _, ok := d.Accepted[id]; return !ok })
	return d
}

// status is what became of a document.
func (r *recorder) status(doc *gateway.Document, of verdicts) []byte {
	have, ok := r.statuses[doc.Name]
	if ok && have.doc == doc && slices.Equal(have.of.blocks, of.blocks) && slices.Equal(have.of.beside, of.beside) {
		return have.text
	}
	text := documentStatus(doc, of)
	r.statuses[doc.Name] = said{doc, of, text}
	return text
}
