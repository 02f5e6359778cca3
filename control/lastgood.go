package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/hcl"
)

// lastGoodFile is the file below the state directory: one JSON object, a newline, and the SHA-256 of what stands before.
const lastGoodFile = "last-good.json"

// keepPace is the least time between two writes of the last good state; of a large one, they take at most a fiftieth.
const keepPace = time.Second

// kept is what a cold start needs to serve without any other system. It never holds secret material.
type kept struct {
	Saved      time.Time       `json:"saved"`
	Generation int             `json:"generation"` // of the filter list; 0: not decided
	Documents  []keptDocument  `json:"documents"`
	Leaves     []keptLeaf      `json:"leaves"`
	Endpoints  []keptEndpoints `json:"endpoints"`
	Functions  []keptFunctions `json:"functions"`
	Led        []keptFunction  `json:"led"` // what references to functions led to
	Ledger     []keptEntry     `json:"ledger"`
}

type keptDocument struct {
	Name   string `json:"name"`
	Index  uint64 `json:"index"`
	Modify uint64 `json:"modify"`
	Text   string `json:"text"`
	Broken bool   `json:"broken,omitempty"` // it never parsed as a whole: the ledger's blocks stand for it
}

type keptLeaf struct {
	ID    gateway.ID `json:"id"`
	Value string     `json:"value"`
}

type keptEndpoints struct {
	Key  gateway.SourceKey  `json:"key"`
	List []gateway.Endpoint `json:"list"`
}

type keptFunctions struct {
	Key  gateway.FinderKey   `json:"key"`
	List []*gateway.Function `json:"list"`
}

type keptFunction struct {
	ID       gateway.ID        `json:"id"`
	Function *gateway.Function `json:"function"`
}

type keptEntry struct {
	ID    gateway.ID          `json:"id"`
	Entry catalog.LedgerEntry `json:"entry"`
}

// keeper writes last good state after changes, and when the loop has ended.
type keeper struct{ l *Loop }

func newKeeper(l *Loop) *keeper { return &keeper{l: l} }

func (k *keeper) run(ctx context.Context) {
	if k.l.cfg.StateDir == "" {
		return
	}
	changed, cancel := k.l.Subscribe()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		if !rest(ctx, 2*breather) {
			return
		}
		start := time.Now()
		k.save()
		if !rest(ctx, max(keepPace, 50*time.Since(start))) {
			return
		}
	}
}

// save writes the state, unless the world is not complete yet: a half-known one must not replace a whole one.
func (k *keeper) save() {
	if k.l.cfg.StateDir == "" || !k.l.complete.Load() {
		return
	}
	if err := writeKept(k.l.cfg.StateDir, k.snapshot(k.l.World())); err != nil {
		k.l.log.Error("cannot keep the last good state", "error", err)
	}
}

func (k *keeper) snapshot(w *gateway.World) *kept {
	out := &kept{Saved: time.Now().UTC(), Generation: w.Generation()}
	docs := w.Documents()
	for _, d := range w.LastGood() {
		k := keptDocument{Name: d.Name, Index: d.Index, Modify: d.Modify, Text: d.Text}
		if newest := docs[d.Name]; newest.Broken && d.Text == "" {
			k.Text, k.Broken = newest.Text, true
		}
		out.Documents = append(out.Documents, k)
	}
	for id, v := range w.Raw() {
		if v != nil && id.Kind == gateway.KindValue {
			out.Leaves = append(out.Leaves, keptLeaf{id, *v})
		}
	}
	slices.SortFunc(out.Leaves, func(a, b keptLeaf) int { return gateway.CompareID(a.ID, b.ID) })
	for key, list := range w.Known() {
		out.Endpoints = append(out.Endpoints, keptEndpoints{key, list})
	}
	slices.SortFunc(out.Endpoints, func(a, b keptEndpoints) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	out.Functions, out.Led = keptFunctionsOf(w)
	for id, f := range w.Ledger() {
		var doc *gateway.Document
		if f.Written != nil {
			doc = docs[f.Written.Document()]
		}
		e, err := encodeForm(id, f, doc)
		if err != nil {
			k.l.log.Error("cannot keep an accepted block", "block", id.String(), "error", err)
			continue
		}
		e.Detached = f.Written != nil && w.Detached(id)
		out.Ledger = append(out.Ledger, keptEntry{id, e})
	}
	slices.SortFunc(out.Ledger, func(a, b keptEntry) int { return gateway.CompareID(a.ID, b.ID) })
	return out
}

// writeKept writes the lists element by element: the whole text of a large world is never in memory.
func writeKept(dir string, s *kept) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	file, err := renameio.NewPendingFile(filepath.Join(dir, lastGoodFile), renameio.WithPermissions(0o600))
	if err != nil {
		return fmt.Errorf("write last good state: %w", err)
	}
	defer func() { _ = file.Cleanup() }() // nothing is left to do once it was renamed
	sum := sha256.New()
	out := &listWriter{w: bufio.NewWriter(io.MultiWriter(file, sum))}
	out.value(`{"saved":`, s.Saved)
	out.value(`,"generation":`, s.Generation)
	writeList(out, `,"documents":[`, s.Documents)
	writeList(out, `],"leaves":[`, s.Leaves)
	writeList(out, `],"endpoints":[`, s.Endpoints)
	writeList(out, `],"functions":[`, s.Functions)
	writeList(out, `],"led":[`, s.Led)
	writeList(out, `],"ledger":[`, s.Ledger)
	if err := out.end("]}"); err != nil {
		return fmt.Errorf("write last good state: %w", err)
	}
	if _, err := file.WriteString("\n" + hex.EncodeToString(sum.Sum(nil))); err != nil {
		return fmt.Errorf("write last good state: %w", err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write last good state: %w", err)
	}
	return nil
}

// listWriter writes JSON in pieces and keeps the first error.
type listWriter struct {
	w   *bufio.Writer
	err error
}

func (l *listWriter) value(before string, v any) {
	if l.err != nil {
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		l.err = err
		return
	}
	_, _ = l.w.WriteString(before) // Flush returns the first error of all writes
	_, _ = l.w.Write(text)
}

func (l *listWriter) end(text string) error {
	_, _ = l.w.WriteString(text)
	return errors.Join(l.err, l.w.Flush())
}

func writeList[T any](l *listWriter, begin string, list []T) {
	_, _ = l.w.WriteString(begin)
	for i := range list {
		comma := ""
		if i > 0 {
			comma = ","
		}
		l.value(comma, &list[i])
	}
}

// errDamaged says that the file on disk is not what was written.
var errDamaged = errors.New("the checksum does not match")

func readKept(dir string) (*kept, error) {
	raw, err := os.ReadFile(filepath.Join(dir, lastGoodFile))
	if err != nil {
		return nil, fmt.Errorf("read last good state: %w", err)
	}
	i := bytes.LastIndexByte(raw, '\n')
	if i < 0 {
		return nil, fmt.Errorf("read last good state: %w", errDamaged)
	}
	sum := sha256.Sum256(raw[:i])
	if hex.EncodeToString(sum[:]) != string(raw[i+1:]) {
		return nil, fmt.Errorf("read last good state: %w", errDamaged)
	}
	s := &kept{}
	if err := json.Unmarshal(raw[:i], s); err != nil {
		return nil, fmt.Errorf("read last good state: %w", err)
	}
	return s, nil
}

// restore puts the last good state in force before any source has answered. What it cannot read it leaves out and says so.
func (l *Loop) restore() {
	if l.cfg.StateDir == "" {
		return
	}
	s, err := readKept(l.cfg.StateDir)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		l.log.Error("last good state is not used", "error", err)
		return
	}
	in := gateway.Input{Documents: map[string]*gateway.Document{}, Leaves: map[gateway.ID]*string{}, Ledger: map[gateway.ID]*gateway.Form{}}
	for _, d := range s.Documents {
		origin := hcl.Origin{Name: d.Name, Index: d.Index, Modify: d.Modify, File: !strings.HasPrefix(d.Name, catalog.DocumentPrefix)}
		in.Documents[d.Name] = hcl.Parse(origin, []byte(d.Text), l.cfg.Schema)
		in.Documents[d.Name].Broken = in.Documents[d.Name].Broken || d.Broken
		l.gate.docs.names[d.Name] = true
	}
	for _, v := range s.Leaves {
		in.Leaves[v.ID] = &v.Value
		l.gate.leaves.names[v.ID] = true
	}
	for _, e := range s.Ledger {
		e.Entry.ID = e.ID
		f, err := DecodeForm(e.Entry, l.cfg.Schema)
		if err != nil {
			l.log.Warn("an accepted block of the last run is not used", "block", e.ID.String(), "error", err)
			continue
		}
		in.Ledger[e.ID] = f
	}
	seed := map[gateway.SourceKey][]gateway.Endpoint{}
	for _, e := range s.Endpoints {
		seed[e.Key] = e.List
	}
	if l.cfg.Sources != nil {
		l.cfg.Sources.Seed(seed)
	}
	in.Endpoints, in.Generation = seed, s.Generation
	l.restoreFunctions(s, &in)
	l.gate.onDisk = len(in.Documents) > 0
	l.log.Info("last good state is in force until the sources answer", "saved", s.Saved.Format(time.RFC3339), "documents", len(in.Documents))
	l.apply(in, timeNone)
	l.openGate()
}
