package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
	"github.com/sluice-gateway/sluice/discovery"
)

// finding is what `sluice doctor -json` prints of each question.
type finding struct {
	System string `json:"system"`
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Need   string `json:"need,omitempty"`
	Error  string `json:"error,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	var paths, documents []string
	var f kvFlags
	var asJSON, operator bool
	c := &cobra.Command{
		Use: "doctor", Short: "Ask every permission and limit one by one", Args: cobra.NoArgs,
		Long: "Ask the configured Consuls for every permission and limit that matters, one by one, and say what is missing; then\n" +
			"Vault for what the secrets of the documents need, and AWS for what their Lambdas need. Nothing is written that\n" +
			"stays, what is leased to ask with is given back, and no function is called. The documents are those of the\n" +
			"configuration, in files or in Consul. Without -config it asks the Consul of the environment.",
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := a.examine(c.Context(), paths, documents, f, operator)
			if err != nil {
				return err
			}
			return a.reportFindings(list, asJSON)
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&paths, "config", nil, "agent configuration at `PATH` (repeatable)")
	c.Flags().StringArrayVar(&documents, "documents", nil, "ask for what the documents at `PATH` need (repeatable; default: those of the configuration)")
	c.Flags().BoolVar(&operator, "operator", false, "ask for what an operator needs to apply, not for what a server needs")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// examine asks everything that the configuration and the documents need.
func (a *app) examine(ctx context.Context, paths, documents []string, f kvFlags, operator bool) ([]finding, error) {
	list := []finding{}
	if len(paths) == 0 && len(documents) == 0 {
		c, err := a.consul(f)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return askConsul(ctx, list, c, !operator), nil
	}
	cfg := &agentConfig{}
	var kv *catalog.Client
	var platforms platforms
	if len(paths) > 0 {
		var err error
		if cfg, err = a.agentConfigFrom(paths); err != nil {
			return nil, err
		}
		log, err := a.logger("error", false)
		if err != nil {
			return nil, err
		}
		if platforms, kv, err = cfg.connect(ctx, log); err != nil {
			return nil, err
		}
		defer platforms.close()
		for _, c := range platforms.consuls {
			list = askConsul(ctx, list, c, !operator)
		}
	}
	if operator {
		return list, nil
	}
	w, err := a.patient(ctx, cfg, kv, documents)
	if err != nil {
		return append(list, finding{System: "documents", Check: "read the documents", Error: err.Error()}), nil
	}
	return a.askPlatforms(ctx, list, cfg, platforms, w)
}

func askConsul(ctx context.Context, list []finding, c *catalog.Client, replica bool) []finding {
	system := "consul"
	if c.Name != "" {
		system += " " + c.Name
	}
	for _, x := range c.Doctor(ctx, replica) {
		list = append(list, newFinding(system, x))
	}
	return list
}

func newFinding(system string, x discovery.Finding) finding {
	f := finding{System: system, Check: x.Check, OK: x.OK, Need: x.Need}
	if x.Err != nil {
		f.Error = x.Err.Error()
	}
	return f
}

func (a *app) reportFindings(list []finding, asJSON bool) error {
	if asJSON {
		if err := a.printJSON(list); err != nil {
			return err
		}
	} else {
		a.showFindings(list)
	}
	bad := 0
	for _, f := range list {
		if !f.OK {
			bad++
		}
	}
	if bad > 0 {
		return &exit{codeWorld, fmt.Errorf("%d of %d checks failed", bad, len(list))}
	}
	return nil
}

func (a *app) showFindings(list []finding) {
	for _, f := range list {
		if f.OK {
			fmt.Fprintf(a.out, "%s %s: %s\n", a.paint(green, "✓"), f.System, f.Check)
			continue
		}
		fmt.Fprintf(a.out, "%s %s: %s\n", a.paint(red, "✗"), f.System, f.Check)
		for _, more := range []string{f.Error, f.Need} {
			if more != "" {
				fmt.Fprintf(a.out, "    %s\n", more)
			}
		}
	}
}
