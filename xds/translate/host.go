package translate

import (
	"fmt"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// entry is one Envoy route of a host's table, and the literal text that every path it matches begins with.
type entry struct {
	route   *routev3.Route
	literal literal
}

// host builds the virtual host of one host name on one listener.
func (t *Translator) host(in gateway.Inputs) (*Resource, error) {
	if in.Gateway == nil || in.Listener == nil || len(in.Table) == 0 {
		return nil, nil
	}
	h, needs, err := t.virtualHost(gateway.ListenerKey{Gateway: in.Gateway.Name, Listener: in.Listener.Name}, in.Host, in.Table)
	if err != nil {
		return nil, err
	}
	return &Resource{Key: Key{TypeURL: HostType, Name: h.Name}, Message: h, Needs: sortKeys(needs)}, nil
}

// virtualHost builds the table of one host, and lists what it needs.
func (t *Translator) virtualHost(key gateway.ListenerKey, host string, table []*gateway.TableRoute) (*routev3.VirtualHost, []Key, error) {
	h := &routev3.VirtualHost{Name: gateway.HostUnit(key, host).Name, Domains: []string{host}}
	var entries []entry
	var needs []Key
	for _, tr := range table {
		es, ns, err := t.tableRoute(tr)
		if err != nil {
			return nil, nil, fmt.Errorf("route %s: %w", tr.Route.Name, err)
		}
		entries = append(entries, es...)
		needs = append(needs, ns...)
	}
	if err := t.shareCalls(h, entries); err != nil {
		return nil, nil, err
	}
	return h, needs, fillTable(h, entries, scanLimit)
}

// tableRoute builds the Envoy routes of one alternative: one for a redirect or a response, else one for every
// destination with a share of the requests. Shares are cumulative: Envoy draws one random number per request and
// compares it with each route's fraction in turn.
func (t *Translator) tableRoute(tr *gateway.TableRoute) ([]entry, []Key, error) {
	p, err := parsePath(tr.Match)
	if err != nil {
		return nil, nil, err
	}
	if tr.Route.Redirect != nil || tr.Route.Respond != nil {
		return t.answer(tr, p)
	}
	shares := tr.Shares()
	if shares == nil {
		return nil, nil, fmt.Errorf("no destination has a share of the requests")
	}
	var entries []entry
	var needs []Key
	for i, d := range tr.Destinations {
		if d.Weight == 0 {
			continue
		}
		r, ns, err := t.destination(tr, d, p)
		if err != nil {
			return nil, nil, err
		}
		r.Name = routeName(tr, i)
		if shares[i] < gateway.Million {
			r.Match.RuntimeFraction = &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{
				Numerator:   shares[i],
				Denominator: typev3.FractionalPercent_MILLION,
			}}
			if s := tr.Route.Sticky; s != nil {
				kept, err := sticky(s, shares[i], r, p.literal.text)
				if err != nil {
					return nil, nil, err
				}
				costly := p.literal
				costly.costly = true // a Lua state a copy and thread
				entries = append(entries, entry{route: kept, literal: costly})
			}
		}
		entries = append(entries, entry{route: r, literal: p.literal})
		needs = append(needs, ns...)
	}
	return entries, needs, nil
}

// routeName is the stable name of an Envoy route: the block's name, then, where it is not the first or only one, the
// alternative, the variant and the destination it stands for.
func routeName(tr *gateway.TableRoute, destination int) string {
	name := tr.Route.Name
	if tr.Index > 0 {
		name += "/match." + strconv.Itoa(tr.Index+1)
	}
	if tr.Variant != nil {
		name += "/variant." + tr.Variant.Name
	}
	if destination > 0 {
		name += "/to." + strconv.Itoa(destination+1)
	}
	return name
}

// identity is what metrics, logs and traces say of a request beyond the names of its route and cluster: the function
// that it calls. Most routes call none, and metadata would double what a route costs Envoy when it builds a table.
func identity(tr *gateway.TableRoute, d *gateway.TableDestination) (*corev3.Metadata, error) {
	_, name, ok := gateway.SplitFunction(d.To.Function.ID)
	if !ok {
		return nil, nil
	}
	return metadata("sluice", map[string]any{"route": tr.Route.Name, "upstream": d.Upstream.Name, "function": name})
}
