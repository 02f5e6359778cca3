package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// discovered is what `sluice discover -json` prints of each thing that no document uses.
type discovered struct {
	Source    string `json:"source"` // kind of source: "nomad"
	Name      string `json:"name"`   // of the proposed upstream
	Endpoints int    `json:"endpoints"`
	Note      string `json:"note,omitempty"`
	HCL       string `json:"hcl"` // the upstream, as a document has it
}

func (a *app) discoverCommand() *cobra.Command {
	var paths, documents []string
	var f kvFlags
	var asJSON bool
	c := &cobra.Command{
		Use: "discover [SOURCE]", Short: "What the platforms run and no document uses yet, as HCL", Args: cobra.MaximumNArgs(1),
		Long: "Ask every configured Consul, Nomad, AWS account, vCenter, Kubernetes and Docker what it runs, or those of one kind\n" +
			"of source (consul, nomad, ec2, vsphere, kubernetes, docker), and print what no document uses yet as upstreams: a\n" +
			"document to copy from. The documents are those of the configuration, in files or in Consul. Nothing is changed. A\n" +
			"platform that cannot be asked is named, and the others are printed; the exit code is 2 then. Without -config it\n" +
			"asks what the environment names: CONSUL_HTTP_ADDR, NOMAD_ADDR, GOVC_URL, AWS_REGION, KUBECONFIG, DOCKER_HOST.",
		RunE: func(c *cobra.Command, args []string) error {
			kind := ""
			if len(args) > 0 {
				kind = args[0]
			}
			return a.discover(c.Context(), kind, paths, documents, f, asJSON)
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&paths, "config", nil, "agent configuration at `PATH` (repeatable)")
	c.Flags().StringArrayVar(&documents, "documents", nil, "leave out what the documents at `PATH` use (repeatable; default: those of the configuration)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) discover(ctx context.Context, kind string, paths, documents []string, f kvFlags, asJSON bool) error {
	cfg, err := a.discoverConfig(paths, f)
	if err != nil {
		return err
	}
	log, err := a.logger("error", false)
	if err != nil {
		return err
	}
	p, kv, err := cfg.connect(ctx, log)
	if err != nil {
		return err
	}
	defer p.close()
	kinds, err := p.asked(kind)
	if err != nil {
		return err
	}
	var problems []error
	w, err := a.patient(ctx, cfg, kv, documents)
	if err != nil {
		problems = append(problems, fmt.Errorf("what documents use is not known, so all is printed: %w", err))
		w = gateway.New(&gateway.Rules{})
	}
	found, failed := lookAround(ctx, kinds, needsOf(w).specs)
	problems = append(problems, failed...)
	list := proposed(found, w)
	if err := a.printDiscovered(list, asJSON, len(problems) == 0); err != nil {
		return err
	}
	if len(problems) > 0 {
		return &exit{codeWorld, errors.Join(problems...)}
	}
	return nil
}

// discoverConfig is the configuration at paths, or what the environment names.
func (a *app) discoverConfig(paths []string, f kvFlags) (*agentConfig, error) {
	if len(paths) > 0 {
		return a.agentConfigFrom(paths)
	}
	cfg := &agentConfig{}
	if a.env("CONSUL_HTTP_ADDR") != "" {
		cfg.Consuls = []*consulConfig{{}}
		cfg.Config = &documentsConfig{ConsulPrefix: f.prefix}
	}
	if a.env("AWS_REGION") != "" || a.env("AWS_DEFAULT_REGION") != "" {
		cfg.AWS = []*awsConfig{{}}
	}
	return cfg, nil
}

// connections is how many connections each kind has whose system can be asked what it runs.
func (p platforms) connections() map[string]int {
	return map[string]int{
		"consul": len(p.consuls), "nomad": len(p.nomads), "ec2": len(p.aws.configs), "vsphere": len(p.vsphere.Connections),
		"kubernetes": len(p.clusters), "docker": len(p.dockers),
	}
}

// asked are the kinds of source that have connections, or the one of a name, which must have one.
func (p platforms) asked(name string) (out []discovery.Kind, err error) {
	connections := p.connections()
	var known []string
	for _, k := range p.kinds() {
		if k.Discover == nil {
			continue
		}
		known = append(known, k.Name)
		if connections[k.Name] > 0 && (name == "" || name == k.Name) {
			out = append(out, k)
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case name == "":
		return nil, &exit{codeDocuments, errors.New("nothing to ask is configured: give an agent's configuration with -config that has a block " +
			"consul, nomad, aws, vsphere, kubernetes or docker")}
	case !slices.Contains(known, name):
		return nil, usage("no source that lists what there is is named %q; there are %s", name, strings.Join(known, ", "))
	}
	block := name
	if name == "ec2" {
		block = "aws"
	}
	return nil, &exit{codeDocuments, fmt.Errorf("no %s is configured: add a block %s \"NAME\" {} to the agent's configuration", name, block)}
}

// seen is what a platform runs and no document uses.
type seen struct {
	kind string
	discovery.Found
}

// lookAround asks all kinds at once, and leaves out what specs of documents list already.
func lookAround(ctx context.Context, kinds []discovery.Kind, used map[string][]gateway.SourceSpec) (out []seen, problems []error) {
	type answer struct {
		found []discovery.Found
		err   error
	}
	answers := make([]chan answer, len(kinds))
	for i, k := range kinds {
		answers[i] = make(chan answer, 1)
		go func() {
			found, err := k.Discover(ctx)
			answers[i] <- answer{found, err}
		}()
	}
	for i, k := range kinds {
		got := <-answers[i]
		if got.err != nil {
			problems = append(problems, prefixed(k.Name, got.err))
		}
		for _, f := range got.found {
			if !slices.ContainsFunc(used[k.Name], covered(f)) {
				out = append(out, seen{k.Name, f})
			}
		}
	}
	return out, problems
}

// prefixed names the platform of an error that does not do so itself.
func prefixed(kind string, err error) error {
	if strings.HasPrefix(err.Error(), kind+" ") {
		return err
	}
	return fmt.Errorf("%s: %w", kind, err)
}

// printDiscovered prints a document, or JSON. What is not HCL goes to the errors, so that the rest can be kept as it is.
func (a *app) printDiscovered(list []discovered, asJSON, complete bool) error {
	if asJSON {
		return a.printJSON(list)
	}
	for i, d := range list {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprint(a.out, d.HCL)
	}
	if len(list) == 0 && complete {
		fmt.Fprintln(a.errs, "Everything that the platforms run is in a document already.")
	}
	return nil
}
