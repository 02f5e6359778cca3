package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/catalog"
)

func (a *app) pullCommand() *cobra.Command {
	var f kvFlags
	var force bool
	c := &cobra.Command{
		Use: "pull [DIRECTORY]", Short: "Write the documents in Consul to files", Args: cobra.MaximumNArgs(1),
		Long: "Write every document in Consul's key-value store to a file below a directory (default: this one). A file that\nsays something else is not overwritten, unless -force says so.",
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			kv, err := a.consul(f)
			if err != nil {
				return err
			}
			defer kv.Close()
			pairs, err := kv.Pull(c.Context())
			if err != nil {
				return err
			}
			return a.writePulled(dir, pairs, force)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&force, "force", false, "overwrite files that differ")
	return c
}

func (a *app) writePulled(dir string, pairs []catalog.Pair, force bool) error {
	kept := 0
	for _, p := range pairs {
		rel, ok := strings.CutPrefix(p.Key, "routes/")
		if !ok {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(rel)) {
			fmt.Fprintf(a.errs, "left out %s: it is no path below a directory\n", p.Key)
			kept++
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(rel))
		have, err := os.ReadFile(path)
		if err == nil && bytes.Equal(have, p.Value) {
			continue
		}
		if err == nil && !force {
			fmt.Fprintf(a.errs, "left alone %s: it differs from what is live (-force overwrites it)\n", path)
			kept++
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if err := os.WriteFile(path, p.Value, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		fmt.Fprintln(a.out, filepath.ToSlash(path))
	}
	if kept > 0 {
		return wrong()
	}
	return nil
}
