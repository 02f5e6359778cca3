package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) eventsCommand() *cobra.Command {
	var f clientFlags
	var follow bool
	var since uint64
	c := clientCommand(&cobra.Command{
		Use: "events", Short: "What happened lately", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.showEvents(c.Context(), f, follow, since) },
	}, &f)
	c.Flags().BoolVar(&follow, "follow", false, "go on with what happens from now on")
	c.Flags().Uint64Var(&since, "since", 0, "only events after the one with this `NUMBER`")
	return c
}

func (a *app) showEvents(ctx context.Context, f clientFlags, follow bool, since uint64) error {
	cl, err := a.client(f)
	if err != nil {
		return err
	}
	for {
		since, err = a.readEvents(ctx, cl, f, follow, since)
		if !follow || ctx.Err() != nil {
			return err
		}
		if err != nil {
			fmt.Fprintln(a.errs, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// readEvents prints one stream of events to its end and returns the number of the last.
func (a *app) readEvents(ctx context.Context, cl *client, f clientFlags, follow bool, since uint64) (uint64, error) {
	path := fmt.Sprintf("/v1/events?since=%d", since)
	if follow {
		path += "&follow"
	}
	resp, err := cl.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return since, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e console.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return since, fmt.Errorf("read event: %w", err)
		}
		since = e.ID
		if f.json {
			fmt.Fprintln(a.out, lines.Text())
			continue
		}
		fmt.Fprintln(a.out, strings.TrimSpace(fmt.Sprintf("%s  %-12s %s  %s", e.Time.Local().Format("15:04:05.000"), e.Kind, e.Block, e.Text)))
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return since, fmt.Errorf("read events: %w", err)
	}
	return since, nil
}
