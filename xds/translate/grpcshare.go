package translate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	transcoderv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_json_transcoder/v3"
	"github.com/zeebo/xxh3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// shareGain is how many routes Envoy turns the transcoder off on in less time than it builds one transcoder in.
const shareGain = 20

// call is what a route's transcoder is made of.
type call struct {
	settings xxh3.Uint128 // all but the service, the rule and the descriptors
	files    xxh3.Uint128 // the descriptors without the rule
	service  string
	method   string
	bindings []*annotations.HttpRule // flat: each without further ones; none where the method's own path is mapped
	set      []byte                  // the descriptors with the rule
}

// callers are the routes of a host that have one and the same transcoder.
type callers struct {
	*call
	routes []*routev3.Route
}

// shareCalls gives a host one transcoder for as many of its routes as can have it, in the place of one each: Envoy builds
// all transcoders of a listener whenever one of its hosts changes, and a transcoder costs it as much as ten routes. Routes
// that share must not differ in what clients see of them: their settings are equal, no path can come to the rules of two,
// and their descriptors agree. All other routes keep their own, or have the transcoder turned off.
func (t *Translator) shareCalls(h *routev3.VirtualHost, entries []entry) error {
	all, err := t.callersOf(entries)
	if err != nil {
		return err
	}
	p := &pool{files: map[string]*descriptorpb.FileDescriptorProto{}, have: map[xxh3.Uint128]bool{}, rules: map[string]*annotations.HttpRule{}}
	var members []*callers
	shared := 0
	for _, c := range largest(all) {
		ok, err := p.take(c.call)
		if err != nil {
			return err
		}
		if ok {
			members = append(members, c)
			shared += len(c.routes)
		}
	}
	if shared < 2 || (shared-1)*shareGain < len(entries)-shared {
		return nil
	}
	set := p.set()
	if _, err := protodesc.NewFiles(set); err != nil {
		return nil // they only agree piece by piece: each route has its own
	}
	config := &transcoderv3.GrpcJsonTranscoder{}
	if err := members[0].routes[0].TypedPerFilterConfig[transcoderFilter].UnmarshalTo(config); err != nil {
		return fmt.Errorf("read a transcoder: %w", err)
	}
	if err := p.fill(config, set); err != nil {
		return err
	}
	packed, err := Pack(config)
	if err != nil {
		return err
	}
	for _, c := range members {
		for _, r := range c.routes {
			delete(r.TypedPerFilterConfig, transcoderFilter)
		}
	}
	h.TypedPerFilterConfig = map[string]*anypb.Any{transcoderFilter: packed}
	return turnOffElsewhere(entries, members)
}

// turnOffElsewhere turns the transcoder of a host off on the routes that have no part in it.
func turnOffElsewhere(entries []entry, members []*callers) error {
	in := map[*routev3.Route]bool{}
	for _, c := range members {
		for _, r := range c.routes {
			in[r] = true
		}
	}
	off, err := Pack(&routev3.FilterConfig{Disabled: true})
	if err != nil {
		return err
	}
	for _, e := range entries {
		if in[e.route] || e.route.TypedPerFilterConfig[transcoderFilter] != nil {
			continue
		}
		if e.route.TypedPerFilterConfig == nil {
			e.route.TypedPerFilterConfig = map[string]*anypb.Any{}
		}
		e.route.TypedPerFilterConfig[transcoderFilter] = off
	}
	return nil
}

// callersOf lists the transcoders of a table that could be shared, in its order.
func (t *Translator) callersOf(entries []entry) (out []*callers, err error) {
	known := map[xxh3.Uint128]*callers{}
	for _, e := range entries {
		config := e.route.TypedPerFilterConfig[transcoderFilter]
		if config == nil {
			continue
		}
		key := xxh3.Hash128(config.Value)
		c, ok := known[key]
		if !ok {
			c = &callers{}
			known[key] = c
			if c.call, err = t.callOf(key, config); err != nil {
				return nil, err
			}
			if c.call != nil {
				out = append(out, c)
			}
		}
		c.routes = append(c.routes, e.route)
	}
	return out, nil
}

// largest are those of the settings that most routes have; of two as many, the first.
func largest(all []*callers) []*callers {
	bySettings, routes := map[xxh3.Uint128][]*callers{}, map[xxh3.Uint128]int{}
	var order []xxh3.Uint128
	for _, c := range all {
		if bySettings[c.settings] == nil {
			order = append(order, c.settings)
		}
		bySettings[c.settings] = append(bySettings[c.settings], c)
		routes[c.settings] += len(c.routes)
	}
	slices.SortStableFunc(order, func(a, b xxh3.Uint128) int { return cmp.Compare(routes[b], routes[a]) })
	if len(order) == 0 {
		return nil
	}
	return bySettings[order[0]]
}

// callOf takes a transcoder's configuration apart. Nil if it is not of one method.
func (t *Translator) callOf(key xxh3.Uint128, config *anypb.Any) (*call, error) {
	if done, ok := t.parts.get(key); ok {
		return done, nil
	}
	m := &transcoderv3.GrpcJsonTranscoder{}
	if err := config.UnmarshalTo(m); err != nil {
		return nil, fmt.Errorf("read a transcoder: %w", err)
	}
	c := &call{set: m.GetProtoDescriptorBin()}
	set, method, err := c.descriptors()
	if err != nil || method == nil || len(m.Services) != 1 {
		return nil, err
	}
	c.service, c.method = m.Services[0], method.GetName()
	if rule, ok := proto.GetExtension(method.Options, annotations.E_Http).(*annotations.HttpRule); ok && rule != nil {
		c.bindings = append([]*annotations.HttpRule{rule}, rule.AdditionalBindings...)
		rule.AdditionalBindings = nil
	}
	method.Options = nil
	m.Services, m.DescriptorSet = nil, nil
	stable := proto.MarshalOptions{Deterministic: true}
	files, err := stable.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("write the descriptors of a method: %w", err)
	}
	settings, err := stable.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write the settings of a transcoder: %w", err)
	}
	c.files, c.settings = xxh3.Hash128(files), xxh3.Hash128(settings)
	t.parts.put(key, c, 2*len(c.set))
	return c, nil
}

// descriptors reads the descriptors of a call, and finds the method in them. It is nil if there is not just one.
func (c *call) descriptors() (set *descriptorpb.FileDescriptorSet, method *descriptorpb.MethodDescriptorProto, err error) {
	set = &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(c.set, set); err != nil {
		return nil, nil, fmt.Errorf("read the descriptors of a method: %w", err)
	}
	n := 0
	for _, f := range set.File {
		for _, s := range f.Service {
			for _, m := range s.Method {
				method = m
				n++
			}
		}
	}
	if n != 1 {
		method = nil
	}
	return set, method, nil
}

// pool is what a transcoder of several calls is made of.
type pool struct {
	files map[string]*descriptorpb.FileDescriptorProto
	have  map[xxh3.Uint128]bool            // the descriptors that are in files, see call
	rules map[string]*annotations.HttpRule // by the method's full name
	paths paths
}

// take adds a call, unless it does not go together with those that are there: then nothing changes.
func (p *pool) take(c *call) (bool, error) {
	name := c.service + "." + c.method
	if !p.paths.free(name, c.bindings) {
		return false, nil
	}
	if !p.have[c.files] {
		set, method, err := c.descriptors()
		if err != nil {
			return false, err
		}
		method.Options = nil
		for _, f := range set.File {
			if have := p.files[f.GetName()]; have != nil && !mergeFile(have, f, false) {
				return false, nil
			}
		}
		for _, f := range set.File {
			if have := p.files[f.GetName()]; have != nil {
				mergeFile(have, f, true)
			} else {
				p.files[f.GetName()] = f
			}
		}
		p.have[c.files] = true
	}
	for _, b := range c.bindings {
		if !p.paths.add(name, b) {
			continue // two routes, of different headers or queries
		}
		b = proto.CloneOf(b)
		if first := p.rules[name]; first != nil {
			first.AdditionalBindings = append(first.AdditionalBindings, b)
		} else {
			p.rules[name] = b
		}
	}
	return true, nil
}

// set lists the files, imports first.
func (p *pool) set() *descriptorpb.FileDescriptorSet {
	out := &descriptorpb.FileDescriptorSet{}
	done := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		f := p.files[name]
		if f == nil || done[name] {
			return
		}
		done[name] = true
		for _, d := range f.Dependency {
			visit(d)
		}
		out.File = append(out.File, f)
	}
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		visit(name)
	}
	return out
}

// fill makes the configuration of one of the calls that of all.
func (p *pool) fill(config *transcoderv3.GrpcJsonTranscoder, set *descriptorpb.FileDescriptorSet) error {
	config.Services = nil
	for _, f := range set.File {
		for _, s := range f.Service {
			name := s.GetName()
			if f.GetPackage() != "" {
				name = f.GetPackage() + "." + name
			}
			config.Services = append(config.Services, name)
			for _, m := range s.Method {
				if rule := p.rules[name+"."+m.GetName()]; rule != nil {
					m.Options = &descriptorpb.MethodOptions{}
					proto.SetExtension(m.Options, annotations.E_Http, rule)
				}
			}
		}
	}
	bin, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return fmt.Errorf("write the descriptors of a host: %w", err)
	}
	config.DescriptorSet = &transcoderv3.GrpcJsonTranscoder_ProtoDescriptorBin{ProtoDescriptorBin: bin}
	return nil
}
