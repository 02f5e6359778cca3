package reflection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-gateway/sluice/gateway"
)

// poll is one round of questions to one endpoint.
type poll struct {
	limits limits
	wanted []string                       // services; none: all that are listed
	last   map[string][]*gateway.Function // what was described before

	conn *grpc.ClientConn
	s    *stream
	read int               // bytes
	seen map[string][]byte // files of this stream by name: a server need not send one twice

	described map[string][]*gateway.Function
	notes     []string
}

// ask returns the methods of all services. An error says that the server was not heard out: nothing is known then. A
// service that the server lists, and cannot describe while it describes others, keeps the methods that it had, and a note
// says so.
func (p *poll) ask(ctx context.Context, at string) ([]*gateway.Function, error) {
	conn, err := dial(at, p.limits)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	p.conn, p.described = conn, map[string][]*gateway.Function{}
	defer p.hangUp()
	listed, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	services, err := p.choose(listed)
	if err != nil {
		return nil, err
	}
	breaks := 0
	for _, name := range services {
		functions, err := p.service(ctx, name)
		if err != nil && p.s == nil { // the question cost the stream
			if breaks++; breaks > p.limits.breaks || ctx.Err() != nil || errors.Is(err, errTooMuch) {
				return nil, fmt.Errorf("service %s: %w", name, err)
			}
			functions, err = p.again(ctx, name)
			if p.s == nil {
				return nil, fmt.Errorf("service %s: %w", name, err)
			}
		}
		if err != nil {
			functions = p.keep(name, err)
		}
		p.described[name] = functions
	}
	return p.all()
}

// again asks a second time, over a new stream. Where that breaks at the same question it is the service's fault, if the
// server still lives: a third stream proves that.
func (p *poll) again(ctx context.Context, name string) ([]*gateway.Function, error) {
	if _, err := p.begin(ctx); err != nil {
		return nil, err
	}
	functions, err := p.service(ctx, name)
	if p.s != nil {
		return functions, err
	}
	if errors.Is(err, errTooMuch) {
		return nil, err
	}
	if _, dead := p.begin(ctx); dead != nil {
		return nil, dead
	}
	return nil, err
}

func (p *poll) begin(ctx context.Context) (services []string, err error) {
	p.hangUp()
	p.s, services, err = open(ctx, p.conn, p.limits, &p.read)
	p.seen = map[string][]byte{}
	return services, err
}

func (p *poll) hangUp() {
	if p.s != nil {
		p.s.close()
		p.s = nil
	}
}

// choose is the services to describe: those that are wanted, else all but the ones of gRPC itself.
func (p *poll) choose(listed []string) ([]string, error) {
	var out []string
	if len(p.wanted) > 0 {
		out = slices.Clone(p.wanted)
	} else {
		for _, name := range listed {
			if !strings.HasPrefix(name, "grpc.reflection.") && !strings.HasPrefix(name, "grpc.health.") {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > p.limits.services {
		return nil, fmt.Errorf("the server lists %d services, and %d are read at most: name those that are meant in services", len(out), p.limits.services)
	}
	return out, nil
}

// service asks for all that describes one service. An error with the stream still there is the service's own.
func (p *poll) service(ctx context.Context, name string) ([]*gateway.Function, error) {
	if !protoreflect.FullName(name).IsValid() {
		return nil, fmt.Errorf("%.100q is no name of a service", name)
	}
	files, err := p.collect(ctx, name)
	if err != nil {
		if r := (*refusal)(nil); !errors.As(err, &r) {
			p.hangUp()
		}
		return nil, err
	}
	d, err := link(files, protoreflect.FullName(name))
	if err != nil {
		return nil, err
	}
	functions, notes := functionsOf(d)
	p.notes = append(p.notes, notes...)
	return functions, nil
}

// keep is what a service has that could not be described: what it had before.
func (p *poll) keep(name string, err error) []*gateway.Function {
	before := p.last[name]
	what := "none of its methods are known"
	if len(before) > 0 {
		what = "its methods are those of an earlier answer"
	}
	p.notes = append(p.notes, fmt.Sprintf("service %.100s is not described, and %s: %v", name, what, err))
	return before
}

// all is the methods of all services by name.
func (p *poll) all() ([]*gateway.Function, error) {
	var out []*gateway.Function
	for _, functions := range p.described {
		out = append(out, functions...)
	}
	if len(out) > p.limits.methods {
		return nil, fmt.Errorf("the server has %d methods, and %d are read at most: name the services that are meant in services", len(out), p.limits.methods)
	}
	slices.SortFunc(out, func(a, b *gateway.Function) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
