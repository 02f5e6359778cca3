package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// container is what is read of one.
type container struct {
	ID     string            `json:"Id"`
	Names  []string          `json:"Names"`
	Image  string            `json:"Image"`
	Labels map[string]string `json:"Labels"`
	State  string            `json:"State"`
	Status string            `json:"Status"` // "Up 3 minutes (healthy)"
	Health *struct {
		Status string `json:"Status"`
	} `json:"Health"` // engines before 29 have it in Status only
	Ports []struct {
		IP          string `json:"IP"`
		PrivatePort uint16 `json:"PrivatePort"`
		PublicPort  uint16 `json:"PublicPort"`
		Type        string `json:"Type"`
	} `json:"Ports"`
	HostConfig struct {
		NetworkMode string `json:"NetworkMode"`
	} `json:"HostConfig"`
	NetworkSettings struct {
		Networks map[string]*struct {
			IPAddress         string `json:"IPAddress"`
			GlobalIPv6Address string `json:"GlobalIPv6Address"`
		} `json:"Networks"`
	} `json:"NetworkSettings"`
}

// idLength is how much of an id the engine's own tools show.
const idLength = 12

// parseList reads a list. What is none is an error, and never an empty one.
func parseList(text []byte) ([]*container, error) {
	var list []*container
	if err := json.Unmarshal(text, &list); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("%s is no %s", wrong.Field, wrong.Type)
		}
		return nil, fmt.Errorf("no list of containers: %w", err)
	}
	if list == nil {
		return nil, errors.New("no list of containers: null")
	}
	seen := map[string]bool{}
	for _, c := range list {
		if c == nil || len(c.ID) < idLength || seen[c.id()] {
			return nil, errors.New("no list of containers: one without an id of its own")
		}
		seen[c.id()] = true
	}
	return list, nil
}

// same says whether two containers are alike in all that endpoints are made of.
func (c *container) same(other *container) bool {
	networks := func(c *container) string {
		var out []string
		for name, n := range c.NetworkSettings.Networks {
			if n != nil {
				out = append(out, name+" "+n.IPAddress+" "+n.GlobalIPv6Address)
			}
		}
		slices.Sort(out)
		return strings.Join(out, "\n")
	}
	return c.ID == other.ID && c.name() == other.name() && c.State == other.State && c.health() == other.health() &&
		slices.Equal(c.Ports, other.Ports) && networks(c) == networks(other) && maps.Equal(c.Labels, other.Labels)
}

func (c *container) id() string { return c.ID[:idLength] }

// name is the first name, without the slash that the API puts before it.
func (c *container) name() string {
	if len(c.Names) == 0 {
		return c.id()
	}
	return strings.TrimPrefix(c.Names[0], "/")
}

// health is what the container's own check says. One without a check is well while it runs.
func (c *container) health() gateway.Health {
	if c.State != "running" && c.State != "" {
		return gateway.Critical // paused, restarting
	}
	status := ""
	if c.Health != nil {
		status = c.Health.Status
	}
	switch {
	case status == "unhealthy" || status == "starting":
		return gateway.Critical
	case status == "healthy" || status == "none":
		return gateway.Healthy
	case strings.HasSuffix(c.Status, "(unhealthy)") || strings.HasSuffix(c.Status, "(health: starting)"):
		return gateway.Critical
	}
	return gateway.Healthy
}

// endpoint is c as a block sees it. machine is the address of the machine that the engine runs on.
func (c *container) endpoint(s *Spec, machine string) (gateway.Endpoint, error) {
	address, port, err := c.at(s, machine)
	if err != nil {
		return gateway.Endpoint{}, fmt.Errorf("container %.100q: %w", c.name(), err)
	}
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" {
		return gateway.Endpoint{}, fmt.Errorf("container %.100q: %.100q is no IP address", c.name(), address)
	}
	meta := maps.Clone(c.Labels)
	if meta == nil {
		meta = map[string]string{}
	}
	meta["container"], meta["image"] = c.name(), c.Image
	return gateway.Endpoint{ID: c.id(), Address: ip.Unmap().String(), Port: port, Health: c.health(), Meta: meta}, nil
}

func (c *container) at(s *Spec, machine string) (address string, port uint16, err error) {
	port = uint16(s.Port)
	switch {
	case s.Published:
		return c.published(port, machine)
	case c.HostConfig.NetworkMode == "host":
		return machine, port, nil
	}
	networks := c.NetworkSettings.Networks
	name := s.Network
	if name == "" {
		if len(networks) > 1 {
			return "", 0, fmt.Errorf("it is in several networks, network must name one of %s", strings.Join(slices.Sorted(maps.Keys(networks)), ", "))
		}
		for only := range networks {
			name = only
		}
	}
	switch n := networks[name]; {
	case n == nil && name == "":
		return "", 0, errors.New("it is in no network")
	case n == nil:
		return "", 0, fmt.Errorf("it is not in the network %q, but in %s", name, strings.Join(slices.Sorted(maps.Keys(networks)), ", "))
	case n.IPAddress != "":
		return n.IPAddress, port, nil
	case n.GlobalIPv6Address != "":
		return n.GlobalIPv6Address, port, nil
	default:
		return "", 0, fmt.Errorf("it has no address in the network %q", name)
	}
}

// published is where the engine takes connections for a port. An address that stands for all is that of the machine.
func (c *container) published(port uint16, machine string) (string, uint16, error) {
	best, number := "", uint16(0)
	for _, p := range c.Ports {
		if p.PrivatePort != port || p.PublicPort == 0 || p.Type != "tcp" && p.Type != "" {
			continue
		}
		address := p.IP
		if ip, err := netip.ParseAddr(p.IP); err != nil || ip.IsUnspecified() {
			address = machine
		}
		if best == "" || p.PublicPort < number || p.PublicPort == number && address < best {
			best, number = address, p.PublicPort
		}
	}
	if best == "" {
		return "", 0, fmt.Errorf("its port %d is not published", port)
	}
	return best, number, nil
}
