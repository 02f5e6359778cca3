package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/console"
)

type applyFlags struct {
	planFlags
	kvFlags
	autoApprove, detach, resume, abort bool
	wait                               time.Duration
}

// kvFlags say where documents are in Consul; how it is reached says the CONSUL_HTTP_* environment.
type kvFlags struct{ prefix string }

func (f *kvFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.prefix, "prefix", "sluice/", "`PREFIX` of everything in Consul's KV")
}

// consul makes a client with the user's own token.
func (a *app) consul(f kvFlags) (*catalog.Client, error) {
	c, err := catalog.New(catalog.Config{Prefix: f.prefix})
	if err != nil {
		return nil, usage("%w", err)
	}
	return c, nil
}

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	c := clientCommand(&cobra.Command{
		Use: "apply PATH…|PLANFILE", Short: "Write documents to Consul, after showing what changes",
		Long: "Check the documents at the given paths, show what they change, and write them to Consul's key-value store by\n" +
			"compare-and-set, with the Consul token of whoever runs this ($CONSUL_HTTP_TOKEN). Then wait until every Envoy\n" +
			"has acknowledged what became of them. A plan file is carried out as it was shown, or not at all.",
		RunE: func(c *cobra.Command, args []string) error { return a.apply(c.Context(), args, f) },
	}, &f.clientFlags)
	addPlanFlags(c, &f.planFlags)
	f.kvFlags.add(c)
	addWriteFlags(c, &f)
	c.Flags().BoolVar(&f.resume, "resume", false, "go on with an apply of the same documents that was interrupted")
	c.Flags().BoolVar(&f.abort, "abort", false, "undo an apply that was interrupted; takes no path")
	return c
}

func addWriteFlags(c *cobra.Command, f *applyFlags) {
	c.Flags().BoolVar(&f.autoApprove, "auto-approve", false, "do not ask")
	c.Flags().BoolVar(&f.detach, "detach", false, "do not wait for the Envoys")
	c.Flags().DurationVar(&f.wait, "wait", time.Minute, "how long to wait for the Envoys")
}

func (a *app) apply(ctx context.Context, args []string, f applyFlags) error {
	cl, err := a.client(f.clientFlags)
	if err != nil {
		return err
	}
	kv, err := a.consul(f.kvFlags)
	if err != nil {
		return err
	}
	defer kv.Close()
	switch {
	case f.abort && len(args) == 0:
		return a.abortApply(ctx, cl, kv)
	case f.abort || len(args) == 0:
		return usage("apply takes paths or one plan file; with -abort neither")
	}
	made, texts, err := a.planToApply(ctx, cl, args, f)
	if err != nil {
		return err
	}
	if !f.json {
		a.showPlan(made.Plan, texts)
	}
	if made.Plan.Errors {
		return wrong()
	}
	changes, err := a.kvChanges(ctx, kv, made)
	if err != nil {
		return err
	}
	return a.write(ctx, cl, kv, changes, f)
}

// planToApply reads a plan file, or makes a plan of paths.
func (a *app) planToApply(ctx context.Context, cl *client, args []string, f applyFlags) (*planFile, map[string][]byte, error) {
	if len(args) > 1 || strings.HasSuffix(args[0], ".hcl") {
		return a.makePlan(ctx, cl, args, f.planFlags)
	}
	info, err := os.Stat(args[0])
	if err != nil || info.IsDir() {
		return a.makePlan(ctx, cl, args, f.planFlags)
	}
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return nil, nil, usage("read plan: %w", err)
	}
	made := &planFile{}
	if err := json.Unmarshal(raw, made); err != nil || made.Format != planFormat {
		return nil, nil, usage("read plan %s: it is no plan of this version: make it with sluice plan -out", args[0])
	}
	texts := map[string][]byte{}
	for _, d := range made.Documents {
		if d.Text != nil {
			texts[d.Name] = []byte(*d.Text)
		}
	}
	return made, texts, nil
}

// kvChanges is what has to be written: documents that are the same already are left alone.
func (a *app) kvChanges(ctx context.Context, kv *catalog.Client, made *planFile) ([]catalog.KVChange, error) {
	pairs, err := kv.Pull(ctx)
	if err != nil {
		return nil, err
	}
	now := map[string]catalog.Pair{}
	for _, p := range pairs {
		now[p.Key] = p
	}
	var changes []catalog.KVChange
	add := func(name string, text *string) error {
		rel, ok := catalog.DocumentKey(name)
		if !ok {
			return usage("%s is on the server's disk: sluice apply writes documents in Consul; save the file there instead", name)
		}
		key := "routes/" + rel
		have, exists := now[key]
		switch {
		case text == nil && !exists, text != nil && exists && string(have.Value) == *text:
			return nil
		case text == nil:
			changes = append(changes, catalog.KVChange{Key: key, Delete: true, Index: made.Plan.Base[name]})
		default:
			changes = append(changes, catalog.KVChange{Key: key, Value: []byte(*text), Index: made.Plan.Base[name]})
		}
		return nil
	}
	for _, d := range made.Documents {
		if err := add(d.Name, d.Text); err != nil {
			return nil, err
		}
	}
	for _, name := range made.Plan.Removed {
		if err := add(name, nil); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// write asks, writes and waits.
func (a *app) write(ctx context.Context, cl *client, kv *catalog.Client, changes []catalog.KVChange, f applyFlags) error {
	if len(changes) == 0 {
		if !f.json {
			fmt.Fprintln(a.out, "Nothing to write.")
		}
		return nil
	}
	if !f.autoApprove {
		if err := a.ask(fmt.Sprintf("Write %s?", plural(len(changes), "document"))); err != nil {
			return err
		}
	}
	err := kv.Apply(ctx, changes, catalog.ApplyOptions{Resume: f.resume})
	if err != nil {
		if errors.Is(err, catalog.ErrHeld) {
			return fmt.Errorf("%w: -resume goes on with it, -abort undoes it", err)
		}
		return fmt.Errorf("write documents: %w", err)
	}
	if !f.json {
		fmt.Fprintf(a.out, "%s written.\n", plural(len(changes), "document"))
	}
	if f.detach {
		return nil
	}
	return a.await(ctx, cl, kv, changes, f)
}

// ask returns nil when the user says yes.
func (a *app) ask(question string) error {
	fmt.Fprintf(a.out, "\n%s Only \"yes\" is a yes: ", question)
	answer, _ := bufio.NewReader(a.in).ReadString('\n')
	if strings.TrimSpace(answer) == "yes" {
		return nil
	}
	fmt.Fprintln(a.out)
	return usage("not approved: nothing is written (-auto-approve does not ask)")
}

// await returns when the server has taken the written documents and every Envoy has acknowledged what became of them.
func (a *app) await(ctx context.Context, cl *client, kv *catalog.Client, changes []catalog.KVChange, f applyFlags) error {
	pairs, err := kv.Pull(ctx)
	if err != nil {
		return err
	}
	wait := f.wait
	if emptied(changes, pairs) {
		wait += confirmTime
		if !f.json {
			fmt.Fprintln(a.out, "A folder has no document left: replicas believe that when a minute has confirmed it.")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	open := map[string]uint64{} // ModifyIndex by document; 0: it is to be gone
	for _, ch := range changes {
		open[catalog.DocumentName(strings.TrimPrefix(ch.Key, "routes/"))] = 0
	}
	for _, p := range pairs {
		name := catalog.DocumentName(strings.TrimPrefix(p.Key, "routes/"))
		if _, ours := open[name]; ours && strings.HasPrefix(p.Key, "routes/") {
			open[name] = p.ModifyIndex
		}
	}
	var rejected []console.Diagnostic
	var waiting []string
	for {
		var status console.Status
		switch err := cl.get(ctx, "/v1/status", &status); {
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil && status.Frozen:
			return fmt.Errorf("changes are frozen%s: what was written waits until sluice unfreeze", because(status.Reason))
		case err == nil:
			rejected, waiting = settled(open, status)
		}
		if len(waiting) == 0 && ctx.Err() == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the Envoys: after %s not all have acknowledged %s; they go on by themselves, see sluice status and sluice nodes",
				wait, strings.Join(waiting, ", "))
		case <-time.After(100 * time.Millisecond):
		}
	}
	if len(rejected) > 0 {
		a.diagnoseRemote(rejected, nil)
		return wrong()
	}
	if f.json {
		return a.printJSON(console.Done{Text: "applied"})
	}
	fmt.Fprintln(a.out, a.paint(green, "Applied.")+" Every Envoy has acknowledged it.")
	return nil
}

// because is a reason in brackets, where one was given.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// confirmTime is how long the loss of a whole folder is doubted, with some room.
const confirmTime = 70 * time.Second

// emptied says that the changes took the last document out of a folder of routes/.
func emptied(changes []catalog.KVChange, left []catalog.Pair) bool {
	folder := func(key string) string {
		rel := strings.TrimPrefix(key, "routes/")
		name, _, below := strings.Cut(rel, "/")
		if !below {
			return ""
		}
		return name
	}
	full := map[string]bool{"": slices.ContainsFunc(left, func(p catalog.Pair) bool { return strings.HasPrefix(p.Key, "routes/") })}
	for _, p := range left {
		if strings.HasPrefix(p.Key, "routes/") {
			full[folder(p.Key)] = true
		}
	}
	return slices.ContainsFunc(changes, func(ch catalog.KVChange) bool { return ch.Delete && !full[folder(ch.Key)] })
}

// settled lists the documents that the server has not taken, or that wait for Envoys, and what is wrong with all of
// them. Documents that were written together may arrive one after another, so what is wrong counts when all have.
func settled(open map[string]uint64, status console.Status) (rejected []console.Diagnostic, waiting []string) {
	live := map[string]console.Document{}
	for _, d := range status.Documents {
		live[d.Name] = d
	}
	for _, name := range slices.Sorted(maps.Keys(open)) {
		d, exists := live[name]
		switch index := open[name]; {
		case index == 0 && exists, index > 0 && (!exists || d.Modify < index || d.Blocks["pending"]+d.Blocks["waiting"] > 0):
			waiting = append(waiting, name)
		}
		for _, x := range d.Diagnostics {
			if x.Severity == "error" && !x.Waits {
				rejected = append(rejected, x)
			}
		}
	}
	return rejected, waiting
}

// abortApply puts back what the server still serves, where an apply was interrupted.
func (a *app) abortApply(ctx context.Context, cl *client, kv *catalog.Client) error {
	var world console.WorldDump
	if err := cl.get(ctx, "/v1/world", &world); err != nil {
		return err
	}
	old := map[string][]byte{}
	for _, d := range world.Documents {
		if key, ok := catalog.DocumentKey(d.Name); ok {
			old["routes/"+key] = []byte(d.Text)
		}
	}
	hold, _, err := kv.API().KV().Get(kv.Prefix+"hold", nil)
	if err != nil {
		return fmt.Errorf("read the hold: %w", err)
	}
	if hold != nil {
		for key := range strings.Lines(string(hold.Value)) {
			if key = strings.TrimSpace(key); strings.HasPrefix(key, "values/") {
				return fmt.Errorf("the interrupted apply also writes %s, whose old value only its author knows: finish it with -resume", key)
			}
		}
	}
	if err := kv.Abort(ctx, old); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "Undone: what was live before is in Consul again.")
	return nil
}
