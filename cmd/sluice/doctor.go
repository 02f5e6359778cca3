package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
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
	var paths []string
	var f kvFlags
	var asJSON, operator bool
	c := &cobra.Command{
		Use: "doctor", Short: "Ask every permission and limit one by one", Args: cobra.NoArgs,
		Long: "Ask the configured Consuls for every permission and limit that matters, one by one, and say what is missing.\n" +
			"Nothing is written that stays. Without -config it asks the Consul of the environment.",
		RunE: func(c *cobra.Command, _ []string) error {
			clients, err := a.patients(paths, f)
			if err != nil {
				return err
			}
			return a.examine(c.Context(), clients, !operator, asJSON)
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&paths, "config", nil, "agent configuration at `PATH` (repeatable)")
	c.Flags().BoolVar(&operator, "operator", false, "ask for what an operator needs to apply, not for what a server needs")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// patients are the Consuls to ask.
func (a *app) patients(paths []string, f kvFlags) ([]*catalog.Client, error) {
	if len(paths) == 0 {
		c, err := a.consul(f)
		return []*catalog.Client{c}, err
	}
	cfg, err := a.agentConfigFrom(paths)
	if err != nil {
		return nil, err
	}
	log, err := a.logger("error", false)
	if err != nil {
		return nil, err
	}
	clients, _, err := cfg.clients(log)
	return clients, err
}

func (a *app) examine(ctx context.Context, clients []*catalog.Client, replica, asJSON bool) error {
	list := []finding{}
	bad := 0
	for _, c := range clients {
		defer c.Close()
		system := "consul"
		if c.Name != "" {
			system += " " + c.Name
		}
		for _, x := range c.Doctor(ctx, replica) {
			f := finding{System: system, Check: x.Check, OK: x.OK, Need: x.Need}
			if x.Err != nil {
				f.Error = x.Err.Error()
			}
			if !x.OK {
				bad++
			}
			list = append(list, f)
		}
	}
	if asJSON {
		if err := a.printJSON(list); err != nil {
			return err
		}
	} else {
		a.showFindings(list)
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
