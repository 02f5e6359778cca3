package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// leadState says how a reference to a function stands.
type leadState uint8

const (
	leadUnknown  leadState = iota // every finder has answered, and none has it
	leadWaiting                   // some finder has not answered yet
	leadFound                     // it is there
	leadRecalled                  // some finder has not answered yet; it was there before
	leadVanished                  // it was there, and is not any more
	leadRefused                   // it is there, and an Envoy refused what it becomes; fn is what it was before
)

// lead is what a reference to a function leads to; fn is nil while that is not known.
type lead struct {
	fn       *Function
	state    leadState
	declared bool        // by a function block
	several  []*Function // of a short name: what it could mean
	chosen   bool        // of several: it led to fn before
	said     string      // by the Envoy that refused it
}

func (l lead) live() bool { return l.state == leadFound }

// lead resolves a reference to a function by what is declared, what the finders of the upstream found, and, where
// neither has it, by what it last led to.
func (w *World) lead(id ID) lead {
	if b, ok := w.functions.lookup(id); ok && b.declared != nil {
		return lead{fn: b.declared, state: leadFound, declared: true}
	}
	up, name, _ := SplitFunction(id)
	u := w.upstreams.get(up)
	if u == nil {
		return lead{}
	}
	was, known := w.recollect(up, id)
	if f := w.discovered(u, name); f != nil {
		return w.unlessRefused(up, lead{fn: f, state: leadFound}, was)
	}
	if short := w.short(u, name); len(short) == 1 {
		return w.unlessRefused(up, lead{fn: short[0], state: leadFound}, was)
	} else if len(short) > 1 {
		was = w.target(up, id, was)
		return w.unlessRefused(up, ambiguous(short, was), was)
	}
	if u.PlatformOnly() && !u.Lambda.discovers() && name != "" {
		return lead{fn: lambdaByName(name), state: leadFound}
	}
	waits := w.awaits(u)
	switch {
	case known && waits:
		return lead{fn: was, state: leadRecalled}
	case known:
		return lead{fn: was, state: leadVanished}
	case waits:
		return lead{state: leadWaiting}
	}
	return lead{}
}

// unlessRefused falls back to what a reference led to before where an Envoy refused what it leads to now.
func (w *World) unlessRefused(upstream string, l lead, was *Function) lead {
	if said, refused := w.refusal(upstream, l.fn); refused {
		return lead{fn: was, state: leadRefused, said: said}
	}
	return l
}

// ambiguous keeps what a short name led to; without a memory it is the first by name.
func ambiguous(short []*Function, was *Function) lead {
	if was == nil {
		return lead{fn: short[0], state: leadFound, several: short}
	}
	for _, f := range short {
		if f.Name == was.Name {
			return lead{fn: f, state: leadFound, several: short, chosen: true}
		}
	}
	return lead{fn: was, state: leadVanished}
}

// discovered returns the function of that name that a finder of u found; nil where there is none.
func (w *World) discovered(u *Upstream, name string) *Function {
	for _, f := range w.finders.get(u.Name) {
		if l := w.listings.get(f.Key); l != nil && l.byName[name] != nil {
			return l.byName[name]
		}
	}
	return nil
}

// short lists the functions of u with a short name, sorted by name.
func (w *World) short(u *Upstream, name string) (out []*Function) {
	for _, f := range w.finders.get(u.Name) {
		if l := w.listings.get(f.Key); l != nil {
			out = append(out, l.byShort[name]...)
		}
	}
	if len(out) > 1 {
		slices.SortStableFunc(out, func(a, b *Function) int { return strings.Compare(a.Name, b.Name) })
	}
	return out
}

// awaits says that a finder of u has not answered yet.
func (w *World) awaits(u *Upstream) bool {
	return slices.ContainsFunc(w.finders.get(u.Name), func(f Finder) bool { return w.listings.get(f.Key) == nil })
}

// lambdaByName is a Lambda that nobody listed: the platform knows it by its name, and an alias or version after ":".
func lambdaByName(name string) *Function {
	_, rest, isARN := strings.Cut(name, "function:") // of a whole ARN, or of ACCOUNT:function:NAME
	if !isARN {
		rest = name
	}
	_, qualifier, _ := strings.Cut(rest, ":")
	return &Function{Name: name, Kind: FunctionLambda, Lambda: &LambdaFunction{ARN: name, Qualifier: qualifier}}
}

// waiting and unverified mark diagnostics in their Extra.
type (
	waiting    struct{}
	unverified struct{ upstream string }
)

// Waits says of a diagnostic that it tells of a function that is not known yet: time may mend it.
func Waits(d *hcl.Diagnostic) bool {
	_, ok := d.Extra.(waiting)
	return ok
}

// Unverified is the upstream of a diagnostic that tells of a function that only discovery can know, where there is none;
// empty for all others.
func Unverified(d *hcl.Diagnostic) (upstream string) {
	u, _ := d.Extra.(unverified)
	return u.upstream
}

// missingFunction is the diagnostic of a reference to a function that does not lead to one that is there; nil where it
// does. What is in force already by that reference stays, degraded; what is new has to wait for it.
func (a *application) missingFunction(from ID, ref Ref) *hcl.Diagnostic {
	at := ref.Range
	say := func(severity hcl.DiagnosticSeverity, summary, format string, args ...any) *hcl.Diagnostic {
		return &hcl.Diagnostic{Severity: severity, Summary: summary, Subject: &at, Detail: fmt.Sprintf(format, args...)}
	}
	up, name, _ := SplitFunction(ref.ID)
	u := a.w.upstreams.get(up)
	if u == nil {
		return say(hcl.DiagError, "Unknown upstream", "There is no upstream %q, so it has no function.%s", up, a.instead(ID{KindUpstream, up}))
	}
	l := a.w.lead(ref.ID)
	switch l.state {
	case leadFound:
		return a.ambiguity(from, ref, l, say)
	case leadRecalled:
		return nil
	case leadVanished:
		if a.namedBefore(from, ref.ID) {
			return say(hcl.DiagWarning, "Function not found", "The function %q of upstream %q was found before and is not any more. Calls go on as they were, and may fail.", name, up)
		}
	case leadRefused:
		if l.fn != nil && a.namedBefore(from, ref.ID) {
			return say(hcl.DiagWarning, "Refused by Envoy", "An Envoy did not accept what the function %q of upstream %q becomes as it is now. Calls go on as they were. It said: %s", name, up, l.said)
		}
		return say(hcl.DiagError, "Refused by Envoy", "An Envoy did not accept what the function %q of upstream %q becomes. It said: %s", name, up, l.said)
	case leadWaiting:
		if a.w.rules.Offline {
			d := say(hcl.DiagWarning, "Unverified function", "Whether upstream %q has a function %q is known to discovery alone, which does not run here.", up, name)
			d.Extra = unverified{up}
			return d
		}
		d := say(hcl.DiagError, "Function not known yet", "Upstream %q has not said yet which functions it has. The block takes effect when it has said that there is one named %q.", up, name)
		d.Extra = waiting{}
		return d
	}
	if len(a.w.finders.get(up)) == 0 {
		return say(hcl.DiagError, "Unknown function", "Upstream %q finds no functions, and no block declares one named %q.%s Declare it by function %q %q, or let the upstream find its functions by an openapi, grpc or lambda block.",
			up, name, a.insteadFunction(u, ref.ID), up, name)
	}
	return say(hcl.DiagError, "Unknown function", "Upstream %q has no function %q.%s", up, name, a.insteadFunction(u, ref.ID))
}

// ambiguity is what there is to say of a short name that means several functions; nil for every other reference.
func (a *application) ambiguity(from ID, ref Ref, l lead, say func(hcl.DiagnosticSeverity, string, string, ...any) *hcl.Diagnostic) *hcl.Diagnostic {
	if len(l.several) == 0 {
		return nil
	}
	_, short, _ := SplitFunction(ref.ID)
	var names []string
	for _, f := range l.several {
		names = append(names, fmt.Sprintf("%q", f.Name))
	}
	all := strings.Join(names, ", ")
	if l.chosen || a.namedBefore(from, ref.ID) {
		return say(hcl.DiagWarning, "Ambiguous function", "The short name %q means several functions by now: %s. It goes on to mean %q; write the whole name.", short, all, l.fn.Name)
	}
	return say(hcl.DiagError, "Ambiguous function", "The short name %q means several functions: %s. Write the whole name.", short, all)
}

// namedBefore says that a block's last good form names a function.
func (a *application) namedBefore(block, function ID) bool {
	f := a.w.lastGood(block)
	if block.Kind == KindFunction {
		_, had := instances(f)[function.Name]
		return had
	}
	return f != nil && slices.ContainsFunc(f.Value.Refs, func(r Ref) bool { return r.ID == function })
}

// insteadFunction suggests a function of the upstream, or says that the one meant has errors of its own.
func (a *application) insteadFunction(u *Upstream, id ID) string {
	if b := a.w.blocks.get(id.Written()); b != nil && b.Newest != nil && b.InForce == nil && !layers(b.Newest) {
		return " The block of that name is itself not accepted; its own diagnostics say why."
	}
	hint, known := a.hints[id]
	if !known {
		_, name, _ := SplitFunction(id)
		hint = suggest(name, slices.DeleteFunc(slices.Clone(a.functionNames(u)), func(n string) bool { return n == name }))
		a.hints[id] = hint
	}
	return hint
}

// functionNames lists the functions of an upstream, sorted, as things stand when it is first asked.
func (a *application) functionNames(u *Upstream) []string {
	key := KindFunction + "." + u.Name
	names, known := a.names[key]
	if known {
		return names
	}
	for _, f := range a.w.finders.get(u.Name) {
		if l := a.w.listings.get(f.Key); l != nil {
			for _, fn := range l.all {
				names = append(names, fn.Name)
			}
			for short := range l.byShort {
				names = append(names, short)
			}
		}
	}
	for user := range a.w.users.of(ID{KindUpstream, u.Name}.Written()) {
		if up, name, ok := SplitFunction(user); ok && up == u.Name {
			if b, inForce := a.w.functions.lookup(user); inForce && b.declared != nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	a.names[key] = names
	return names
}

// layers says that a form of a function block declares nothing, and is to be laid on what is discovered.
func layers(f *Form) bool {
	for _, v := range instances(f) {
		if b, ok := v.(*FunctionBlock); ok && !b.Declares() {
			return true
		}
	}
	return false
}
