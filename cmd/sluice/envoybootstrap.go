package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/xds/bootstrap"
)

// bootstrapFlags say what an Envoy starts with.
type bootstrapFlags struct {
	nodeID, gateway, admin, ready        string
	xds                                  []string
	caFile, certFile, keyFile, xdsServer string
	secretsFile                          string
	region, zone                         string
	maxHeap                              uint64
	maxConnections                       uint32
}

func (f *bootstrapFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.gateway, "gateway", "", "the `GATEWAY` block that the Envoy serves (required)")
	c.Flags().StringSliceVar(&f.xds, "xds", nil, "`HOST:PORT` of the control planes, comma-separated or repeated (required)")
	c.Flags().StringVar(&f.nodeID, "node-id", "", "unique name of the Envoy (default: host name and process number)")
	c.Flags().StringVar(&f.admin, "admin", bootstrap.DefaultAdmin, "`ADDRESS` of Envoy's admin interface: HOST:PORT on loopback, or unix:PATH")
	c.Flags().StringVar(&f.ready, "ready", "", "`HOST:PORT` of a listener with /ready and /stats/prometheus (default: none)")
	c.Flags().StringVar(&f.caFile, "ca-file", "", "authority of the control planes' certificates; with it TLS is spoken")
	c.Flags().StringVar(&f.certFile, "cert-file", "", "the Envoy's certificate, which names its gateway")
	c.Flags().StringVar(&f.keyFile, "key-file", "", "the key of the certificate")
	c.Flags().StringVar(&f.xdsServer, "xds-server-name", "", "`NAME` that the control planes' certificates must have (default: any of the authority)")
	c.Flags().StringVar(&f.secretsFile, "secrets-file", "", "where the file that names the certificates is written (envoy run: a temporary one)")
	c.Flags().StringVar(&f.region, "region", "", "where the Envoy runs, as endpoints' localities say it: the `REGION`")
	c.Flags().StringVar(&f.zone, "zone", "", "where the Envoy runs: the `ZONE`, which an upstream may prefer")
	c.Flags().Uint64Var(&f.maxHeap, "max-heap", bootstrap.DefaultMaxHeap, "`BYTES` of memory near which Envoy sheds load")
	c.Flags().Uint32Var(&f.maxConnections, "max-connections", bootstrap.DefaultMaxConnections, "connections of clients at most")
}

// options are the flags as the bootstrap takes them.
func (f *bootstrapFlags) options() (bootstrap.Options, error) {
	o := bootstrap.Options{
		NodeID: f.nodeID, Gateway: f.gateway, ControlPlanes: f.xds, Admin: f.admin, Ready: f.ready,
		Region: f.region, Zone: f.zone, MaxHeap: f.maxHeap, MaxConnections: f.maxConnections,
	}
	if o.Gateway == "" || len(o.ControlPlanes) == 0 {
		return o, usage("-gateway and -xds are needed")
	}
	if o.NodeID == "" {
		host, err := os.Hostname()
		if err != nil {
			return o, fmt.Errorf("find a name for the node: %w (give one with -node-id)", err)
		}
		o.NodeID = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	files := []string{f.caFile, f.certFile, f.keyFile}
	switch given := strings.Join(files, ""); {
	case given == "":
		return o, nil
	case f.caFile == "" || f.certFile == "" || f.keyFile == "":
		return o, usage("-ca-file, -cert-file and -key-file go together")
	}
	o.TLS = &bootstrap.TLS{CAFile: f.caFile, CertFile: f.certFile, KeyFile: f.keyFile, ServerName: f.xdsServer, SecretsFile: f.secretsFile}
	return o, nil
}

func (a *app) envoyBootstrapCommand() *cobra.Command {
	var f bootstrapFlags
	c := &cobra.Command{
		Use: "bootstrap", Short: "Print an Envoy's bootstrap configuration", Args: cobra.NoArgs,
		Long: "Print the configuration with which an Envoy joins a gateway, as JSON for envoy -c. With TLS the file that names\nthe certificates is written to -secrets-file, which is needed then.",
		RunE: func(*cobra.Command, []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			if o.TLS != nil {
				if err := writeSecrets(o.TLS); err != nil {
					return err
				}
			}
			raw, err := bootstrap.JSON(o)
			if err != nil {
				return &exit{codeUsage, err}
			}
			_, err = a.out.Write(raw)
			return err
		},
	}
	f.add(c)
	return c
}

// writeSecrets writes the file that tells Envoy where its certificates are. It holds no secret itself.
func writeSecrets(t *bootstrap.TLS) error {
	if t.SecretsFile == "" {
		return usage("with TLS -secrets-file says where the file that names the certificates is written")
	}
	raw, err := bootstrap.Secrets(t)
	if err != nil {
		return &exit{codeUsage, err}
	}
	if err := os.WriteFile(t.SecretsFile, raw, 0o644); err != nil {
		return fmt.Errorf("write secrets file: %w", err)
	}
	return nil
}
