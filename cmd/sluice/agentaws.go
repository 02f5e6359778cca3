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

	"github.com/sluice-gateway/sluice/discovery/lambda"
)

// awsConfig is one AWS account. What is left out comes from where AWS's own tools have it: the AWS_* environment, the
// shared files, the role of the machine.
type awsConfig struct {
	Name       string      `hcl:"name,label"`
	Region     string      `hcl:"region,optional"` // of the sts calls
	Profile    string      `hcl:"profile,optional"`
	RoleARN    string      `hcl:"role_arn,optional"` // assumed with the credentials of the rest
	ExternalID string      `hcl:"external_id,optional"`
	Endpoint   string      `hcl:"sts_endpoint,optional"`
	Range      hclv2.Range `hcl:",def_range"`
}

const sessionName = "sluice"

// checkAWS finds what the tags of the aws blocks cannot say.
func (c *agentConfig) checkAWS() (diags hclv2.Diagnostics) {
	wrong := func(at hclv2.Range, summary, detail string) {
		diags = append(diags, &hclv2.Diagnostic{Severity: hclv2.DiagError, Summary: summary, Detail: detail, Subject: &at})
	}
	seen := map[string]bool{}
	for _, a := range c.AWS {
		if seen[a.Name] {
			wrong(a.Range, "Duplicate aws", fmt.Sprintf("The aws block %q stands twice. Each connection needs a name of its own.", a.Name))
		}
		seen[a.Name] = true
		if a.ExternalID != "" && a.RoleARN == "" {
			wrong(a.Range, "Invalid aws block", "external_id is a part of assuming a role, and there is no role_arn.")
		}
	}
	return diags
}

// lambdas are the options of the finders of Lambdas. It reads the files that AWS's own tools read, and calls nobody.
func (c *agentConfig) lambdas(ctx context.Context) (out lambda.Options, err error) {
	out.Connections = map[string]aws.CredentialsProvider{}
	for _, a := range c.AWS {
		if out.Connections[a.Name], err = a.credentials(ctx); err != nil {
			return out, &exit{codeDocuments, fmt.Errorf("aws %s: %w", a.Name, err)}
		}
	}
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		if out.Transport, err = trusting(bundle); err != nil {
			return out, &exit{codeDocuments, fmt.Errorf("AWS_CA_BUNDLE: %w", err)}
		}
	}
	return out, nil
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

func (a *awsConfig) credentials(ctx context.Context) (aws.CredentialsProvider, error) {
	var options []func(*config.LoadOptions) error
	if a.Region != "" {
		options = append(options, config.WithRegion(a.Region))
	}
	if a.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of AWS: %w", err)
	}
	if a.RoleARN == "" {
		return cfg.Credentials, nil
	}
	if cfg.Region == "" {
		return nil, errors.New("a role needs a region, in which it is assumed")
	}
	client := sts.NewFromConfig(cfg, func(o *sts.Options) {
		if a.Endpoint != "" {
			o.BaseEndpoint = aws.String(a.Endpoint)
		}
	})
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, a.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName
		if a.ExternalID != "" {
			o.ExternalID = aws.String(a.ExternalID)
		}
	})), nil
}
