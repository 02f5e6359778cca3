package catalog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func restFunction(name string) *gateway.Function {
	return &gateway.Function{Name: name, Kind: gateway.FunctionREST, REST: &gateway.RESTOperation{Method: "GET", Path: "/" + name}}
}

// grpcFunction has a descriptor of so many bytes, which no compression makes smaller.
func grpcFunction(name string, size int) *gateway.Function {
	descriptor := make([]byte, size)
	r := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range descriptor {
		descriptor[i] = byte(r.Uint32())
	}
	return &gateway.Function{Name: name, Kind: gateway.FunctionGRPC, GRPC: &gateway.GRPCMethod{Service: "s", Method: name, Descriptor: descriptor}}
}

func TestAcceptedFunctionsComeBackAsTheyWere(t *testing.T) {
	for _, l := range []gateway.Led{
		{Function: restFunction("get")},
		{Function: restFunction("get"), Before: restFunction("older")},
		{Function: grpcFunction("s/Get", 256<<10)},
		{Function: grpcFunction("s/Get", 100<<10), Before: grpcFunction("s/Get", 90<<10)},
	} {
		value, err := EncodeFunction(l)
		if err != nil || len(value) > maxEntry {
			t.Fatalf("%s: %d bytes, %v", l.Function.Name, len(value), err)
		}
		again, _ := EncodeFunction(l)
		id, got, err := DecodeFunction(Pair{Key: "u/x", Value: value, ModifyIndex: 7})
		l.Index = 7
		if err != nil || id != gateway.FunctionID("u", "x") || !reflect.DeepEqual(*got, l) || !bytes.Equal(value, again) {
			t.Errorf("%s is %+v, %v", l.Function.Name, got, err)
		}
	}
	both, err := EncodeFunction(gateway.Led{Function: grpcFunction("s/Get", 250<<10), Before: grpcFunction("s/Get", 240<<10)})
	if err != nil || len(both) > maxEntry {
		t.Fatalf("%d bytes, %v", len(both), err)
	}
	if _, got, err := DecodeFunction(Pair{Key: "u/x", Value: both}); err != nil || got.Before != nil || len(got.Function.GRPC.Descriptor) != 250<<10 {
		t.Errorf("what does not fit: %v", err)
	}
	if _, err := EncodeFunction(gateway.Led{Function: grpcFunction("s/Get", 4<<20)}); err == nil {
		t.Error("a function of 4 MiB is encoded")
	}
}

func TestBadEntriesOfFunctionsAreErrors(t *testing.T) {
	good, _ := EncodeFunction(gateway.Led{Function: grpcFunction("s/Get", 4<<10)})
	damaged := bytes.Clone(good)
	damaged[len(damaged)/2] ^= 1
	bomb, err := encodePair(functionPair{Function: &gateway.Function{Name: strings.Repeat("x", mostFunction-200)}})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string][]byte{
		"u":    []byte(`{"function":{"name":"x","kind":"rest","rest":{}}}`),
		"u/":   good,
		"/x":   good,
		"u/%2": good,
		"u/a":  damaged,
		"u/b":  good[:len(good)/2],
		"u/c":  nil,
		"u/d":  []byte("{}"),
		"u/e":  []byte(`{"function":{"name":"x","kind":"rest"}}`),
		"u/f":  []byte(`{"function":{"name":"x","kind":"odd"}}`),
		"u/g":  []byte(`{"function":{"name":"x","kind":"rest","rest":{},"grpc":{}}}`),
		"u/h":  bomb,
	} {
		if _, l, err := DecodeFunction(Pair{Key: key, Value: value}); err == nil {
			t.Errorf("%s is read as %+v", key, l)
		}
	}
}

func TestFunctionKeys(t *testing.T) {
	for _, id := range []gateway.ID{
		gateway.FunctionID("shop", "getPet"), gateway.FunctionID("shop", "GET /pets/{id}/"), gateway.FunctionID(`svc["a/b"]`, "x.y/Z"),
		gateway.FunctionID("shop", "100%"), gateway.FunctionID("shop", "ünï\xff"), gateway.FunctionID("shop", ".."),
	} {
		key, ok := functionKey(id)
		if got, parsed := ParseFunctionKey(key); !ok || !parsed || got != id || strings.Count(key, "/") != 1 {
			t.Errorf("%s has the key %s, and that is %s", id, key, got)
		}
	}
	if key, ok := functionKey(gateway.ID{Kind: "route", Name: "r"}); ok {
		t.Errorf("a route has the key %s", key)
	}
}

// plannedFunctions says what a look would do, as VERB KEY.
func plannedFunctions(have map[string]Pair, want map[gateway.ID]FunctionEntry, complete bool) string {
	ops, _ := newPlanner(&Client{}).functions(have, want, complete)
	var out []string
	for _, op := range ops {
		out = append(out, fmt.Sprint(op.Verb, " ", op.Key, " ", op.Index))
	}
	return strings.Join(out, ", ")
}

func TestFunctionsAreWrittenWhereTheReplicaKnowsWhatIsThere(t *testing.T) {
	id := gateway.FunctionID("u", "x")
	one, _ := EncodeFunction(gateway.Led{Function: restFunction("one")})
	two, _ := EncodeFunction(gateway.Led{Function: restFunction("two")})
	there := func(value []byte) map[string]Pair {
		return map[string]Pair{"accepted-functions/u/x": {Value: value, ModifyIndex: 7}, "accepted-functions/u/other": {Value: one, ModifyIndex: 8}}
	}
	for _, tc := range []struct {
		name     string
		have     map[string]Pair
		want     FunctionEntry
		complete bool
		ops      string
	}{
		{"new", nil, FunctionEntry{Value: one}, false, "cas accepted-functions/u/x 0"},
		{"the same", there(one), FunctionEntry{Value: one}, true, ""},
		{"changed", there(one), FunctionEntry{Value: two, Seen: 7}, true, "cas accepted-functions/u/x 7"},
		{"somebody else was first", there(one), FunctionEntry{Value: two}, true, ""},
		{"somebody else was faster", there(one), FunctionEntry{Value: two, Seen: 6}, true, ""},
		{"unreadable", there([]byte("what?")), FunctionEntry{Value: two}, true, "cas accepted-functions/u/x 7"},
		{"nobody needs it", there(one), FunctionEntry{Seen: 7}, true, "delete-cas accepted-functions/u/x 7"},
		{"nobody needs it as far as is known", there(one), FunctionEntry{Seen: 7}, false, ""},
		{"nobody needed what it was", there(one), FunctionEntry{Seen: 6}, true, ""},
		{"it is gone already", nil, FunctionEntry{Seen: 7}, true, ""},
	} {
		if got := plannedFunctions(tc.have, map[gateway.ID]FunctionEntry{id: tc.want}, tc.complete); got != tc.ops {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.ops)
		}
	}
	if ops, _ := newPlanner(&Client{}).plan(there(one), Desired{Complete: true}); len(ops) != 0 {
		t.Errorf("the rest of the plan touches functions: %v", ops)
	}
}

func FuzzDecodeFunction(f *testing.F) {
	small, _ := EncodeFunction(gateway.Led{Function: restFunction("get"), Before: restFunction("old")})
	large, _ := EncodeFunction(gateway.Led{Function: grpcFunction("s/Get", 2<<10)})
	f.Add("u/x", small)
	f.Add("u/x%2Fy", large)
	f.Add("u/x", []byte(`{"function":{"name":"x","kind":"rest","rest":{"method":"GET"},"signature":{"args":[{}]}}}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		id, l, err := DecodeFunction(Pair{Key: key, Value: value})
		if err != nil {
			return
		}
		if back, ok := functionKey(id); !ok || back != key {
			t.Fatalf("%q is %s, and that is %q", key, id, back)
		}
		again, err := EncodeFunction(*l)
		if err != nil {
			return // it was smaller as it stood there
		}
		_, got, err := DecodeFunction(Pair{Key: key, Value: again})
		if err != nil {
			t.Fatalf("%+v does not come back: %v", l, err)
		}
		if third, err := EncodeFunction(*got); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("%+v comes back as %+v, %v", l, got, err)
		}
	})
}
