package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxValue is the largest value that Consul takes; maxEntry what a transaction can carry of it, in base64.
const (
	maxValue = 512 << 10
	maxEntry = (txnSize - 4*opSize) / 4 * 3
)

// LedgerEntry is the accepted form of one block, as PREFIX/accepted/KIND/NAME keeps it for all replicas.
type LedgerEntry struct {
	ID          gateway.ID      `json:"-"`                  // from the key
	Accepted    uint64          `json:"-"`                  // CreateIndex of the key: who was accepted first has the lower one
	Document    string          `json:"document"`           // its name
	CreateIndex uint64          `json:"create_index"`       // of the document
	ModifyIndex uint64          `json:"modify_index"`       // of the document's version that the form is from: the higher one wins
	Hash        string          `json:"hash"`               // of the form
	Range       hcl.Range       `json:"range"`              // of the block's header
	Detached    bool            `json:"detached,omitempty"` // the document does not hold the block any more
	Text        string          `json:"text"`               // of the block
	Reads       json.RawMessage `json:"reads,omitempty"`    // leaf values and locals that it read
	Value       json.RawMessage `json:"value,omitempty"`    // what it decoded to, where the reader can use that
}

// key is below the prefix. A kind has no slash; a name may.
func (e LedgerEntry) key() string { return acceptedDir + e.ID.Kind + "/" + e.ID.Name }

// DecodeEntry reads a pair of Accepted.
func DecodeEntry(p Pair) (LedgerEntry, error) {
	var e LedgerEntry
	if err := json.Unmarshal(p.Value, &e); err != nil {
		return e, fmt.Errorf("read ledger entry %s: %w", p.Key, err)
	}
	kind, name, ok := strings.Cut(p.Key, "/")
	if !ok {
		return e, fmt.Errorf("read ledger entry %s: the key is not KIND/NAME", p.Key)
	}
	e.ID, e.Accepted = gateway.ID{Kind: kind, Name: name}, p.CreateIndex
	return e, nil
}

// QuarantineKey is the key of a form below PREFIX/quarantine/: BLOCK@HASH.
func QuarantineKey(ref gateway.FormRef) string { return ref.ID.String() + "@" + ref.Hash }

// ParseQuarantineKey is the inverse of QuarantineKey.
func ParseQuarantineKey(key string) (ref gateway.FormRef, ok bool) {
	at := strings.LastIndexByte(key, '@')
	if at < 0 {
		return ref, false
	}
	ref.Hash = key[at+1:]
	ref.Kind, ref.Name, ok = strings.Cut(key[:at], ".")
	return ref, ok && ref.Hash != ""
}

// PutQuarantine says to all replicas that an Envoy refused a form, and what it said. Any replica may; the first one's
// reason stays. reason must hold no secret.
func (c *Client) PutQuarantine(ctx context.Context, ref gateway.FormRef, reason string) error {
	ctx, cancel := within(ctx)
	defer cancel()
	key := c.key(quarantineDir + QuarantineKey(ref))
	_, _, err := c.api.KV().CAS(&api.KVPair{Key: key, Value: []byte(reason)}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("write %s: %w", key, bare(err))
	}
	return nil
}

// DeleteQuarantine lets a form be tried again.
func (c *Client) DeleteQuarantine(ctx context.Context, ref gateway.FormRef) error {
	return c.deleteKey(ctx, quarantineDir+QuarantineKey(ref))
}

// SetDrain takes an endpoint (address:port, or an address) out for everyone, until ClearDrain.
func (c *Client) SetDrain(ctx context.Context, addr, reason string) error {
	return c.putKey(ctx, drainDir+addr, reason)
}

// ClearDrain undoes SetDrain.
func (c *Client) ClearDrain(ctx context.Context, addr string) error {
	return c.deleteKey(ctx, drainDir+addr)
}

// SetFreeze makes all replicas accept no change of documents and values, until ClearFreeze.
func (c *Client) SetFreeze(ctx context.Context, reason string) error {
	return c.putKey(ctx, freezeKey, reason)
}

// ClearFreeze undoes SetFreeze.
func (c *Client) ClearFreeze(ctx context.Context) error { return c.deleteKey(ctx, freezeKey) }

func (c *Client) putKey(ctx context.Context, rel, value string) error {
	ctx, cancel := within(ctx)
	defer cancel()
	_, err := c.api.KV().Put(&api.KVPair{Key: c.key(rel), Value: []byte(value)}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("write %s: %w", c.key(rel), bare(err))
	}
	return nil
}

func (c *Client) deleteKey(ctx context.Context, rel string) error {
	ctx, cancel := within(ctx)
	defer cancel()
	_, err := c.api.KV().Delete(c.key(rel), (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("delete %s: %w", c.key(rel), bare(err))
	}
	return nil
}
