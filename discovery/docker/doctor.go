package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// examine asks each engine for what specs need of it.
func examine(ctx context.Context, opts Options, specs []gateway.SourceSpec) (out []discovery.Finding) {
	wanted := map[*Client][]*Spec{}
	for _, spec := range specs {
		s, ok := spec.(*Spec)
		if !ok {
			continue
		}
		c, err := connection(opts.Clients, s.Connection)
		if err != nil {
			out = append(out, discovery.Finding{
				Check: "docker: connection of " + s.SourceKey().Query, Err: err, Need: "a docker block of that name in the agent's configuration",
			})
			continue
		}
		wanted[c] = append(wanted[c], s)
	}
	for _, c := range opts.Clients {
		d := &doctor{client: c, opts: opts, Examination: discovery.Examination{System: strings.TrimSpace("docker " + c.Name)}}
		d.visit(ctx, wanted[c])
		out = append(out, d.Findings...)
	}
	return out
}

// doctor gathers findings about one engine. It only reads.
type doctor struct {
	discovery.Examination
	client *Client
	opts   Options
}

var errEnough = errors.New("heard enough")

// visit asks one question after the other. Those that an answer makes senseless are left out.
func (d *doctor) visit(ctx context.Context, specs []*Spec) {
	version, err := d.client.version(ctx, d.opts.Timeout)
	need := "an engine that answers at " + d.client.cfg.String()
	if errors.Is(err, fs.ErrPermission) {
		need = "an account that may open the socket: a member of its group, usually docker; or a proxy of it that only reads"
	}
	if !d.Note("reach "+d.client.cfg.String(), err, need) {
		return
	}
	err = nil
	if network, _ := d.client.cfg.dial(); network == "tcp" && !d.client.cfg.Secure {
		err = errors.New("it is plain text, and whoever reaches the port owns the machine")
	} else if d.client.cfg.TLS.Insecure {
		err = errors.New("the engine's certificate is not verified")
	}
	d.Note("the connection is safe", err, "ca_file, cert_file and key_file in the agent's docker block")
	list, err := d.client.list(ctx, version, d.opts.Timeout)
	listed := d.Note(fmt.Sprintf("list containers: %d run", len(list)), err, "GET /containers/json, where a proxy is before the engine")
	d.Note("read events", d.mayRead(ctx, version), "GET /events, where a proxy is before the engine")
	for _, s := range specs {
		if !listed {
			return
		}
		endpoints, err := s.endpoints(list, nil, d.client.cfg.Machine)
		if err == nil && len(endpoints) == 0 {
			err = errors.New("no running container has these labels")
		}
		d.Note(fmt.Sprintf("containers of %s: %d", s.SourceKey().Query, len(endpoints)), err,
			"a running container with these labels, in network where one is named, with a published port where published is set")
	}
}

// mayRead opens the stream of events, and closes it at once.
func (d *doctor) mayRead(ctx context.Context, version string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := d.client.events(ctx, version, d.opts.Timeout, func() { cancel(errEnough) }, func(happening) {})
	if errors.Is(context.Cause(ctx), errEnough) {
		return nil
	}
	return err
}
