package control

import (
	"errors"
	"maps"
	"slices"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// Unfit is a secret that was read and cannot be used as some block uses it. It holds nothing secret.
type Unfit struct {
	Secret  gateway.ID
	Problem string // what is wrong with its content
	Remedy  string
	Uses    []Use // sorted
}

// Use is a place where a block names a secret.
type Use struct {
	Block gateway.ID
	At    hclv2.Range
}

// unfit takes the outcome of building a unit that carries a secret. The material is what a store of secrets holds, and no
// block's fault: what the Envoys have stays until there is another version. It says whether that is so.
func (l *Loop) unfit(in gateway.Inputs, err error) bool {
	found := (*translate.MaterialError)(nil)
	bad := errors.As(err, &found)
	was := *l.unfits.Load()
	if problem, known := was[in.Unit]; bad != known || bad && problem.Error() != found.Error() {
		next := maps.Clone(was)
		delete(next, in.Unit)
		if bad {
			next[in.Unit] = found
			l.log.Warn("a secret cannot be used, what the Envoys have stays", "secret", found.Secret.Name, "error", found)
			l.events.add(Event{Kind: "secret", Block: found.Secret.String(), Text: found.Error()})
		}
		l.unfits.Store(&next)
	}
	return bad
}

// Unfit lists the secrets that cannot be used as they are, by secret and problem.
func (l *Loop) Unfit() []Unfit {
	w := l.World()
	var out []Unfit
	for unit, err := range *l.unfits.Load() {
		out = append(out, Unfit{Secret: err.Secret, Problem: err.Error(), Remedy: remedy(unit), Uses: usesOf(w, unit, err.Secret)})
	}
	slices.SortFunc(out, func(a, b Unfit) int {
		if c := gateway.CompareID(a.Secret, b.Secret); c != 0 {
			return c
		}
		return strings.Compare(a.Problem, b.Problem)
	})
	return out
}

// remedy says what to do about material that a unit cannot be made of.
func remedy(u gateway.Unit) string {
	if u.Type == gateway.UnitSigner {
		return "Put access_key and secret_key where the secret comes from, as a vault_aws block would give them, or name another secret in credentials. It is read again by itself."
	}
	return "Put what is missing where the secret comes from, or name another field or secret in the block that uses it. It is read again by itself."
}

// usesOf lists the places that need a secret for a unit: of a signer the credentials of its upstream, else all others.
func usesOf(w *gateway.World, u gateway.Unit, secret gateway.ID) (out []Use) {
	for _, user := range w.UsersOf(secret) {
		b := w.Block(user)
		if b == nil || b.InForce == nil {
			continue
		}
		signs := map[hclv2.Range]bool{} // of each place: whether it is of the unit
		for name, instance := range b.InForce.Value.Instances {
			if up, ok := instance.(*gateway.Upstream); ok && up.Lambda != nil {
				at := up.Lambda.Credentials.Range
				signs[at] = signs[at] || name == u.Name
			}
		}
		for _, ref := range b.InForce.Value.Refs {
			own, credentials := signs[ref.Range]
			if ref.ID == secret && (u.Type == gateway.UnitSigner) == credentials && (own || !credentials) {
				out = append(out, Use{user, ref.Range})
			}
		}
	}
	return out
}
