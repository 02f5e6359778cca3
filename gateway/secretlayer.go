package gateway

import (
	"maps"
	"slices"
	"strings"
)

// carrier is one part of a secret on one gateway: see SecretUse.
type carrier struct{ part, gateway string }

// carriage is a secret that a route takes to a gateway.
type carriage struct {
	SecretUse
	gateway string
}

// carriesOf notes the secrets that features hand to the Envoys of a gateway.
func (f *flat) carriesOf(features []Effective, gateway string) {
	for _, e := range features {
		user, ok := e.Feature.(SecretUser)
		if !ok {
			continue
		}
		for _, use := range user.SecretUses() {
			if f.carries == nil {
				f.carries = map[carriage]bool{}
			}
			f.carries[carriage{use, gateway}] = true
		}
	}
}

// takeSecrets stores the versions of secrets and touches what carries those that changed.
func (a *application) takeSecrets(in Input) {
	for id, version := range in.Secrets {
		if was, known := a.w.versions.m[id]; known && was == version {
			continue
		}
		a.w.versions.set(id, version)
		a.secretUnits(id)
	}
}

// secretUnits touches what carries a secret.
func (a *application) secretUnits(id ID) {
	for c := range a.w.carried.of(id) {
		a.units[secretUnit(id, c.part)] = struct{}{}
	}
	for upstream := range a.w.meshes.of(id) {
		if u := a.w.upstreams.get(upstream); u != nil {
			a.meshUnits(u)
		}
	}
	for upstream := range a.w.signs.of(id) {
		a.units[Unit{UnitSigner, upstream}] = struct{}{}
	}
}

// version fills in the version of a secret. One that is not known yet holds the unit; one that has expired removes it,
// but for a value: Envoy ignores that a secret is removed and would go on with it, so that an empty one takes its place.
func (w *World) version(in *Inputs, secret ID) {
	version, known := w.versions.m[secret]
	in.Secret, in.Version, in.Held = secret, version, !known && len(in.Gateways) > 0
	if in.Form.StandsIn() && version == "" {
		in.Held = len(in.Gateways) > 0
		in.form(w, secret)
		return
	}
	if known && version == "" && (in.Unit.Type != UnitSecret || in.Form != FormValue) {
		in.Gateways = nil
	}
	in.form(w, secret)
}

func (w *World) secretInputs(in *Inputs) {
	name, part, _ := strings.Cut(in.Unit.Name, "/")
	id := ID{KindSecret, name}
	field, form, _ := strings.Cut(part, "#")
	in.Field, in.Form = field, SecretForm(form)
	gateways := map[string]bool{}
	for c := range w.carried.of(id) {
		if c.part == part {
			gateways[c.gateway] = true
		}
	}
	upstreams := w.meshCarriers(id, part)
	for _, name := range upstreams {
		for gateway := range w.uses.of(name) {
			gateways[gateway] = true
		}
		in.form(w, ID{KindUpstream, name})
	}
	if len(gateways) == 0 || len(upstreams) == 0 && w.secrets.get(id) == nil {
		return
	}
	in.Gateways = slices.Sorted(maps.Keys(gateways))
	w.version(in, id)
}

func (w *World) signerInputs(in *Inputs) {
	u := w.upstreams.get(in.Unit.Name)
	if u == nil || u.Lambda == nil {
		return
	}
	in.Upstream = u
	in.form(w, ID{KindUpstream, u.Name})
	in.Gateways = slices.Sorted(maps.Keys(w.uses.of(u.Name)))
	if w.secrets.get(u.Lambda.Credentials.ID) == nil {
		in.Gateways = nil
		return
	}
	w.version(in, u.Lambda.Credentials.ID)
}

// scriptInputs sends the script wherever there is a listener that could run it.
func (w *World) scriptInputs(in *Inputs) {
	for _, g := range w.Gateways() {
		if len(g.Listeners) > 0 {
			in.Gateways = append(in.Gateways, g.Name)
		}
	}
}
