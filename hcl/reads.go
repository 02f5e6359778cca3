package hcl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/sluice-gateway/sluice/gateway"
)

// read is one entry of encoded reads. Exactly one of Text, Value and Expr is set; none is a leaf that was absent.
type read struct {
	Kind  string          `json:"kind"`
	Name  string          `json:"name"`
	Text  *string         `json:"text,omitempty"`  // a kv, env or file leaf
	Type  json.RawMessage `json:"type,omitempty"`  // of the value of a local
	Value json.RawMessage `json:"value,omitempty"` // of a local
	Expr  *gateway.Expr   `json:"expr,omitempty"`  // of a local that mentions a request
}

// EncodeReads writes what a form read (gateway.Form.Reads) as canonical JSON: equal reads give equal bytes, and with the
// text of the block they give the block again. An error is a value that neither a leaf nor a local can have.
func EncodeReads(reads map[gateway.ID]any) ([]byte, error) {
	out := make([]read, 0, len(reads))
	for id, v := range reads {
		r := read{Kind: id.Kind, Name: id.Name}
		switch v := v.(type) {
		case nil:
		case string:
			r.Text = &v
		case *local:
			if err := r.local(v); err != nil {
				return nil, fmt.Errorf("encode %s: %w", id, err)
			}
		default:
			return nil, fmt.Errorf("encode %s: no value of a block: %T", id, v)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b read) int {
		return gateway.CompareID(gateway.ID{Kind: a.Kind, Name: a.Name}, gateway.ID{Kind: b.Kind, Name: b.Name})
	})
	return json.Marshal(out)
}

func (r *read) local(l *local) (err error) {
	if l.request {
		r.Expr = &l.expr
		return nil
	}
	if r.Type, err = ctyjson.MarshalType(l.value.Type()); err != nil {
		return err
	}
	r.Value, err = ctyjson.Marshal(l.value, l.value.Type())
	return err
}

// DecodeReads is the inverse of EncodeReads; what it returns can be given back by a Scope. Places inside inlined
// expressions are lost.
func DecodeReads(data []byte) (map[gateway.ID]any, error) {
	var in []read
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("decode reads: %w", err)
	}
	out := make(map[gateway.ID]any, len(in))
	for _, r := range in {
		id := gateway.ID{Kind: r.Kind, Name: r.Name}
		switch {
		case r.Text != nil:
			out[id] = *r.Text
		case r.Expr != nil:
			out[id] = &local{request: true, expr: *r.Expr}
		case r.Type != nil:
			v, err := decodeValueOf(r)
			if err != nil {
				return nil, fmt.Errorf("decode %s: %w", id, err)
			}
			out[id] = &local{value: v}
		default:
			out[id] = nil
		}
	}
	return out, nil
}

func decodeValueOf(r read) (cty.Value, error) {
	t, err := ctyjson.UnmarshalType(r.Type)
	if err != nil {
		return cty.NilVal, err
	}
	return ctyjson.Unmarshal(r.Value, t)
}
