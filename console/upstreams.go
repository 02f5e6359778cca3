package console

import (
	"net"
	"reflect"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// upstreams lists the upstreams in force with their merged endpoints.
func (s *Server) upstreams(w *gateway.World, name string) []Upstream {
	ages := map[string]float64{}
	for _, src := range s.cfg.Facts.Sources() {
		ages[gateway.SourceKey{Kind: src.Kind, Query: src.Query}.String()] = src.Age
	}
	out := []Upstream{}
	for _, u := range w.Upstreams() {
		if name == "" || name == u.Name {
			out = append(out, upstreamOf(w, u, ages))
		}
	}
	return out
}

func upstreamOf(w *gateway.World, u *gateway.Upstream, ages map[string]float64) Upstream {
	j := Upstream{Name: u.Name, Range: rangeOf(u.Range), Sources: []string{}, Endpoints: []Endpoint{}, Features: []Feature{}}
	j.Lambda = u.Lambda != nil
	from := map[string]string{}
	for _, src := range u.Sources {
		k := src.Spec.SourceKey()
		j.Sources = append(j.Sources, k.String())
		list, _ := w.Endpoints(k)
		for _, e := range list {
			if a := addressOf(e); from[a] == "" {
				from[a] = k.String()
			}
		}
	}
	for _, f := range u.Features {
		j.Features = append(j.Features, Feature{
			Type: f.FeatureType(), Level: gateway.LevelUpstream.String(), From: "upstream." + u.Name,
			Settings: settings(reflect.ValueOf(f)), Range: rangeOf(f.SourceRange()),
		})
	}
	groups, held := w.Merged(u.Name)
	j.Held = held
	for _, g := range groups {
		for _, e := range g.Endpoints {
			source := from[addressOf(e)]
			age, known := ages[source]
			if !known {
				age = -1
			}
			if e.Health == gateway.Healthy || e.Health == gateway.Warning {
				j.Healthy++
			}
			j.Endpoints = append(j.Endpoints, Endpoint{
				ID: e.ID, Address: addressOf(e), Health: e.Health.String(), Weight: max(e.Weight, 1), Priority: g.Priority,
				Region: e.Locality.Region, Zone: e.Locality.Zone, SubZone: e.Locality.SubZone,
				Tags: e.Tags, Meta: e.Meta, Source: source, Age: age,
			})
		}
	}
	return j
}

func addressOf(e gateway.Endpoint) string {
	return net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port)))
}
