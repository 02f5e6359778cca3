package vsphere

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// proposedPort is that of blocks that are found: vCenter does not know which ports machines serve.
const proposedPort = 80

// discover lists the folders of all connections that hold running machines.
func discover(ctx context.Context, opts Options) (out []discovery.Found, err error) {
	for _, cfg := range opts.Connections {
		found, e := discoverOne(ctx, opts, cfg)
		out = append(out, found...)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("vsphere %s: %w", cfg.Name, e))
		}
	}
	slices.SortStableFunc(out, func(a, b discovery.Found) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Note, b.Note))
	})
	return out, err
}

func discoverOne(ctx context.Context, opts Options, cfg Config) ([]discovery.Found, error) {
	inv, err := look(ctx, opts, cfg)
	if err != nil {
		return nil, err
	}
	byFolder := map[string][]*machine{}
	for _, m := range inv.machines {
		if m.on && !m.template && inv.places[inv.folderOf(m)] != nil {
			folder := inv.path(inv.folderOf(m))
			byFolder[folder] = append(byFolder[folder], m)
		}
	}
	var out []discovery.Found
	for folder, machines := range byFolder {
		spec := &Spec{Folder: folder, Port: proposedPort}
		if len(opts.Connections) > 1 {
			spec.Connection = cfg.Name
		}
		names := make([]string, len(machines))
		for i, m := range machines {
			names[i] = m.name
		}
		slices.Sort(names)
		out = append(out, discovery.Found{
			Name: nameOf(folder), Spec: spec, Count: len(machines),
			Note: fmt.Sprintf("%s: %s. vCenter does not know the port: put the right one in", folder, few(names)),
			Covered: func(other gateway.SourceSpec) bool {
				s, ok := other.(*Spec)
				if !ok || s.Connection != cfg.Name && (s.Connection != "" || len(opts.Connections) > 1) {
					return false
				}
				selection, err := inv.resolve(s)
				return err == nil && !slices.ContainsFunc(machines, func(m *machine) bool { return !selection.means(inv, m) })
			},
		})
	}
	return out, nil
}

// look logs in with the agent's own credentials, reads the inventory once and logs out.
func look(ctx context.Context, opts Options, cfg Config) (*inventory, error) {
	who, err := cfg.own()
	if err != nil {
		return nil, err
	}
	c, err := connect(ctx, cfg, opts.timeout)
	if err != nil {
		return nil, err
	}
	defer c.close(ctx)
	if err := c.login(ctx, who); err != nil {
		return nil, err
	}
	return c.snapshot(ctx)
}

// nameOf proposes a name for the upstream of a folder: its own, or that of the datacenter where it is the topmost.
func nameOf(folder string) string {
	steps := strings.Split(folder, "/")
	name := steps[len(steps)-1]
	if name == "vm" && len(steps) > 2 {
		name = steps[len(steps)-2]
	}
	return name
}

// few is a short list of names.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
