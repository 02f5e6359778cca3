package console

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// DiffRoutes is the difference of two worlds in the tables of the hosts among units, sorted.
func DiffRoutes(before, after *gateway.World, units []gateway.Unit) []RouteChange {
	var out []RouteChange
	for _, u := range units {
		if u.Type != gateway.UnitHost {
			continue
		}
		name, host, _ := strings.Cut(u.Name, "/")
		gw, listener, _ := strings.Cut(name, ".")
		k := gateway.ListenerKey{Gateway: gw, Listener: listener}
		out = append(out, diffTable(k, host, before.Table(k, host), after.Table(k, host))...)
	}
	slices.SortStableFunc(out, func(a, b RouteChange) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Listener, b.Listener), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Match, b.Match))
	})
	return out
}

func diffTable(k gateway.ListenerKey, host string, before, after []*gateway.TableRoute) (out []RouteChange) {
	was := byClaim(k, host, before)
	for _, e := range after {
		is := routeOf(k, host, 0, e)
		claim := gateway.ClaimOf(k, host, e.Match, e.Route.Priority)
		c := RouteChange{Gateway: k.Gateway, Listener: k.Listener, Host: host, Match: is.Match.Text, After: lead(is)}
		old, had := was[claim]
		delete(was, claim)
		switch {
		case !had:
			c.Action = "add"
		case !sameRoute(old, is):
			c.Action, c.Before = "change", lead(old)
			if c.Before == c.After {
				c.Before, c.After = c.Before+" (features as before)", c.After+" (features change)"
			}
		default:
			continue
		}
		out = append(out, c)
	}
	for _, e := range before {
		if old, gone := was[gateway.ClaimOf(k, host, e.Match, e.Route.Priority)]; gone {
			out = append(out, RouteChange{
				Action: "remove", Gateway: k.Gateway, Listener: k.Listener, Host: host, Match: old.Match.Text, Before: lead(old),
			})
		}
	}
	return out
}

func lead(r Route) string {
	s := r.Lead()
	if r.Variant != "" {
		s += " (variant " + r.Variant + ")"
	}
	return s
}

func byClaim(k gateway.ListenerKey, host string, table []*gateway.TableRoute) map[string]Route {
	out := map[string]Route{}
	for _, e := range table {
		out[gateway.ClaimOf(k, host, e.Match, e.Route.Priority)] = routeOf(k, host, 0, e)
	}
	return out
}

// sameRoute compares what two entries do, not where they are written.
func sameRoute(a, b Route) bool { return reflect.DeepEqual(withoutPlaces(a), withoutPlaces(b)) }

func withoutPlaces(r Route) Route {
	r.Range = Range{}
	r.Features = featuresWithoutPlaces(r.Features)
	r.Destinations = slices.Clone(r.Destinations)
	for i := range r.Destinations {
		r.Destinations[i].Features = featuresWithoutPlaces(r.Destinations[i].Features)
	}
	return r
}

func featuresWithoutPlaces(list []Feature) []Feature {
	list = slices.Clone(list)
	for i := range list {
		list[i].Range = Range{}
	}
	return list
}
