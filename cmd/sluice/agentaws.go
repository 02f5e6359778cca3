package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/discovery/ec2"
	"github.com/sluice-gateway/sluice/discovery/lambda"
	"github.com/sluice-gateway/sluice/gateway"
)

// awsConfig is one AWS account. What is left out comes from where AWS's own tools have it: the AWS_* environment, the
// shared files, the role of the machine.
type awsConfig struct {
	Name       string      `hcl:"name,label"`
	Region     string      `hcl:"region,optional"` // of the sts calls, and where sluice discover lists instances
	Profile    string      `hcl:"profile,optional"`
	RoleARN    string      `hcl:"role_arn,optional"` // assumed with the credentials of the rest
	ExternalID string      `hcl:"external_id,optional"`
	Endpoint   string      `hcl:"sts_endpoint,optional"`
	Range      hclv2.Range `hcl:",def_range"`
}

const sessionName = "sluice"

// checkAWS finds what the tags of the aws blocks cannot say.
func (c *agentConfig) checkAWS() hclv2.Diagnostics {
	found := blockCheck{kind: "aws"}
	for _, a := range c.AWS {
		found.block(a.Name, a.Range)
		if a.ExternalID != "" && a.RoleARN == "" {
			found.wrong(a.Range, "Invalid aws block", "external_id is a part of assuming a role, and there is no role_arn.")
		}
	}
	return found.diags
}

// awsAccounts are the aws blocks as those use them who ask AWS. Its zero value has none.
type awsAccounts struct {
	configs   map[string]aws.Config
	sts       map[string]string // where a block has it
	transport *http.Transport   // nil: the usual one
}

// accounts reads the files that AWS's own tools read, and calls nobody. The credentials of a block are the same for all
// who ask AWS: a role is assumed once.
func (c *agentConfig) accounts(ctx context.Context) (out awsAccounts, err error) {
	if c.aws != nil {
		return *c.aws, nil
	}
	out = awsAccounts{configs: map[string]aws.Config{}, sts: map[string]string{}}
	for _, a := range c.AWS {
		if out.configs[a.Name], err = a.config(ctx); err != nil {
			return out, &exit{codeDocuments, fmt.Errorf("aws %s: %w", a.Name, err)}
		}
		if a.Endpoint != "" {
			out.sts[a.Name] = a.Endpoint
		}
	}
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		if out.transport, err = trusting(bundle); err != nil {
			return out, &exit{codeDocuments, fmt.Errorf("AWS_CA_BUNDLE: %w", err)}
		}
	}
	c.aws = &out
	return out, nil
}

// lambdas are the options of the finders of Lambdas.
func (c *agentConfig) lambdas(ctx context.Context) (out lambda.Options, err error) {
	all, err := c.accounts(ctx)
	if err != nil {
		return out, err
	}
	out = lambda.Options{Connections: map[string]aws.CredentialsProvider{}, Transport: all.transport}
	for name, cfg := range all.configs {
		out.Connections[name] = cfg.Credentials
	}
	return out, nil
}

// instances are the options of the ec2 source.
func (a awsAccounts) instances(reveal gateway.Reveal) ec2.Options {
	return ec2.Options{Connections: a.configs, STS: a.sts, Transport: a.transport, Reveal: reveal}
}

// trusting trusts the certificates of a file alone.
func trusting(bundle string) (*http.Transport, error) {
	text, err := os.ReadFile(bundle)
	if err != nil {
		return nil, plainPathError(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate is in " + bundle)
	}
	t := http.DefaultTransport.(*http.Transport).Clone() // it is one
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// config is what AWS's own tools would have, with the credentials of the block.
func (a *awsConfig) config(ctx context.Context) (aws.Config, error) {
	var options []func(*config.LoadOptions) error
	if a.Region != "" {
		options = append(options, config.WithRegion(a.Region))
	}
	if a.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("read the configuration of AWS: %w", err)
	}
	if a.RoleARN == "" {
		return cfg, nil
	}
	if cfg.Region == "" {
		return cfg, errors.New("a role needs a region, in which it is assumed")
	}
	client := sts.NewFromConfig(cfg, func(o *sts.Options) {
		if a.Endpoint != "" {
			o.BaseEndpoint = aws.String(a.Endpoint)
		}
	})
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, a.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName
		if a.ExternalID != "" {
			o.ExternalID = aws.String(a.ExternalID)
		}
	}))
	return cfg, nil
}
