package dns

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// diagnose asks for each name once, as its source does.
func diagnose(ctx context.Context, specs []gateway.SourceSpec) (out []discovery.Finding) {
	for _, spec := range specs {
		if s, ok := spec.(*Spec); ok {
			out = append(out, newSource(*s).diagnose(ctx))
		}
	}
	return out
}

func (s *source) diagnose(ctx context.Context) discovery.Finding {
	ctx, cancel := context.WithTimeout(ctx, s.deadline)
	defer cancel()
	endpoints, _, err := s.list(ctx)
	need := "a server that answers for the name: UDP and TCP to it, and server in the block where it is none of /etc/resolv.conf"
	if err == nil && len(endpoints) == 0 {
		err, need = errors.New("it has no records"), "a name that has records of this type"
	}
	f := discovery.Finding{Check: fmt.Sprintf("dns: resolve %s: %d endpoints", s.spec.SourceKey().Query, len(endpoints)), OK: err == nil}
	if err != nil {
		f.Err, f.Need = err, need
	}
	return f
}
