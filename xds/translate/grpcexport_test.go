package translate

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/zeebo/xxh3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-gateway/sluice/gateway"
)

// GRPCCallError is what is wrong with a call under a match.
func GRPCCallError(match *gateway.Match, call *gateway.GRPCCall) error {
	out := &Route{
		Table: &gateway.TableRoute{Match: match}, Route: &routev3.Route{}, Action: &routev3.RouteAction{},
		Program: &gateway.Program{Call: &gateway.Call{GRPC: call}},
	}
	return (&Translator{}).callGRPC(out)
}

// GRPCRoute is the route of a call under a match, made by a translator.
func GRPCRoute(t *Translator, match *gateway.Match, p *gateway.Program) (*routev3.Route, *gateway.Program, error) {
	out := &Route{Table: &gateway.TableRoute{Match: match}, Route: &routev3.Route{}, Action: &routev3.RouteAction{}, Program: p}
	err := t.callGRPC(out)
	return out.Route, out.Program, err
}

// PathsMeet says whether two rules, each a verb and a path, may not stand in one transcoder.
func PathsMeet(oneVerb, one, otherVerb, other string) bool {
	p := &paths{}
	p.add("m", httpRule(oneVerb, one))
	return !p.free("n", []*annotations.HttpRule{httpRule(otherVerb, other)})
}

// MergedFiles is two files in one, or nil where they do not agree.
func MergedFiles(one, other *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	one = proto.CloneOf(one)
	before := proto.CloneOf(one)
	if !mergeFile(one, other, false) {
		return nil
	}
	if !proto.Equal(one, before) {
		panic("a question changes a file")
	}
	mergeFile(one, other, true)
	return one
}

// Remembered puts values of a size into a memo, and says how many bytes it holds at most meanwhile.
func Remembered(values, size int) (most int) {
	m := &memo[int]{}
	for i := range values {
		m.put(xxh3.Uint128{Lo: uint64(i)}, i, size)
		most = max(most, m.held)
	}
	return most
}

// MemoLimit is how many bytes a memo holds at most.
const MemoLimit = memoLimit
