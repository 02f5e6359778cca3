package catalog

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// acceptedFunctionsDir holds what references to functions led to, at UPSTREAM/NAME, each part escaped as that of a URL.
const acceptedFunctionsDir = "accepted-functions/"

const (
	plainFunction = 1 << 10 // an entry up to this size is kept as readable JSON; a larger one is compressed
	mostFunction  = 4 << 20 // the largest JSON of an entry
)

// FunctionEntry is what is to stand in PREFIX/accepted-functions/ for one reference.
type FunctionEntry struct {
	Value []byte // of EncodeFunction; nil: nothing

	// Seen is the ModifyIndex of the entry that this replica has read; 0: none. An entry that it has not read is not
	// replaced: who was accepted first keeps what a short name means.
	Seen uint64
}

type functionPair struct {
	Function *gateway.Function `json:"function"`
	Before   *gateway.Function `json:"before,omitempty"`
}

// EncodeFunction makes the value of an entry. Equal references give equal values. Where both functions together are too
// large for Consul, the earlier one is left out.
func EncodeFunction(l gateway.Led) ([]byte, error) {
	value, err := encodePair(functionPair{l.Function, l.Before})
	if l.Before != nil && (err != nil || len(value) > maxEntry) {
		value, err = encodePair(functionPair{l.Function, nil})
	}
	return value, err
}

func encodePair(p functionPair) ([]byte, error) {
	text, err := json.Marshal(p)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encode function: %w", err)
	case len(text) > mostFunction:
		return nil, fmt.Errorf("encode function: %d bytes, and no more than %d can be kept", len(text), mostFunction)
	case len(text) <= plainFunction:
		return text, nil
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := zip.Write(text); err != nil {
		return nil, fmt.Errorf("encode function: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("encode function: %w", err)
	}
	return out.Bytes(), nil
}

// DecodeFunction reads a pair of AcceptedFunctions: the reference, and what it led to.
func DecodeFunction(p Pair) (gateway.ID, *gateway.Led, error) {
	id, ok := ParseFunctionKey(p.Key)
	if !ok {
		return id, nil, fmt.Errorf("read accepted function %s: the key is not UPSTREAM/NAME", p.Key)
	}
	text, err := unzip(p.Value)
	if err != nil {
		return id, nil, fmt.Errorf("read accepted function %s: %w", id.Text(), err)
	}
	var entry functionPair
	if err := json.Unmarshal(text, &entry); err != nil {
		return id, nil, fmt.Errorf("read accepted function %s: %w", id.Text(), err)
	}
	if !callable(entry.Function) {
		return id, nil, fmt.Errorf("read accepted function %s: %w", id.Text(), errNotCallable)
	}
	if !callable(entry.Before) {
		entry.Before = nil
	}
	return id, &gateway.Led{Function: entry.Function, Before: entry.Before, Index: p.ModifyIndex}, nil
}

var errNotCallable = errors.New("it has no name, or is not of its kind")

func callable(f *gateway.Function) bool {
	if f == nil || f.Name == "" {
		return false
	}
	kinds := map[gateway.FunctionKind]bool{
		gateway.FunctionREST: f.REST != nil, gateway.FunctionGRPC: f.GRPC != nil, gateway.FunctionLambda: f.Lambda != nil,
	}
	for kind, has := range kinds {
		if has != (kind == f.Kind) {
			return false
		}
	}
	_, known := kinds[f.Kind]
	return known
}

// unzip is the JSON of a value.
func unzip(value []byte) ([]byte, error) {
	if len(value) > 0 && value[0] == '{' {
		return value, nil
	}
	zip, err := gzip.NewReader(bytes.NewReader(value))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(zip, mostFunction+1))
	if err == nil && len(text) > mostFunction {
		err = fmt.Errorf("it is larger than %d bytes", mostFunction)
	}
	return text, err
}

// functionKey is the key of a reference below PREFIX/accepted-functions/; ok is false for what names no function.
func functionKey(id gateway.ID) (key string, ok bool) {
	upstream, name, ok := gateway.SplitFunction(id)
	return url.PathEscape(upstream) + "/" + url.PathEscape(name), ok && upstream != "" && name != ""
}

// ParseFunctionKey is the reference of a key of AcceptedFunctions.
func ParseFunctionKey(key string) (id gateway.ID, ok bool) {
	up, rest, _ := strings.Cut(key, "/")
	upstream, err := url.PathUnescape(up)
	if err != nil {
		return id, false
	}
	name, err := url.PathUnescape(rest)
	if err != nil {
		return id, false
	}
	id = gateway.FunctionID(upstream, name)
	canonical, ok := functionKey(id)
	return id, ok && canonical == key
}

// AcceptedFunctions watches PREFIX/accepted-functions/, keyed UPSTREAM/NAME; DecodeFunction reads a value, and
// ParseFunctionKey the key of one that is gone.
func (c *Client) AcceptedFunctions(ctx context.Context, update func(Change), alive func()) error {
	return c.watchSet(ctx, acceptedFunctionsDir, update, alive)
}
