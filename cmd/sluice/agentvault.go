package main

import (
	"fmt"
	"time"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/secrets"
	"github.com/sluice-gateway/sluice/tlsfiles"
)

// vaultConfig is one Vault. What is left out comes from the VAULT_* environment.
type vaultConfig struct {
	Name       string       `hcl:"name,optional"` // secrets name it by connection; may be left out where there is one
	Address    string       `hcl:"address,optional"`
	Namespace  string       `hcl:"namespace,optional"`
	CAFile     string       `hcl:"ca_file,optional"`
	CAPath     string       `hcl:"ca_path,optional"`
	CertFile   string       `hcl:"cert_file,optional"`
	KeyFile    string       `hcl:"key_file,optional"`
	ServerName string       `hcl:"tls_server_name,optional"`
	Insecure   bool         `hcl:"tls_skip_verify,optional"`
	Timeout    string       `hcl:"timeout,optional"` // of one request; default 10s
	Auth       []*vaultAuth `hcl:"auth,block"`
	Range      hclv2.Range  `hcl:",def_range"`
	timeout    time.Duration
}

// vaultAuth is how to log in: approle, jwt, aws, cert or token_file. Each method reads its own attributes.
type vaultAuth struct {
	Method       string      `hcl:"method,label"`
	Mount        string      `hcl:"mount,optional"`
	Role         string      `hcl:"role,optional"`           // jwt, aws, cert
	RoleID       string      `hcl:"role_id,optional"`        // approle
	RoleIDFile   string      `hcl:"role_id_file,optional"`   // approle
	SecretIDFile string      `hcl:"secret_id_file,optional"` // approle
	Wrapped      bool        `hcl:"wrapped,optional"`        // approle: the file holds a wrapping token
	Path         string      `hcl:"path,optional"`           // token_file, jwt: the file
	Region       string      `hcl:"region,optional"`         // aws
	Endpoint     string      `hcl:"sts_endpoint,optional"`   // aws
	ServerID     string      `hcl:"server_id,optional"`      // aws: X-Vault-AWS-IAM-Server-ID
	Range        hclv2.Range `hcl:",def_range"`
}

// checkVaults finds what the tags of the vault blocks cannot say.
func (c *agentConfig) checkVaults() hclv2.Diagnostics {
	found := blockCheck{kind: "vault"}
	for _, v := range c.Vaults {
		found.block(v.Name, v.Range)
		if v.Timeout != "" {
			var err error
			if v.timeout, err = time.ParseDuration(v.Timeout); err != nil || v.timeout <= 0 {
				found.wrong(v.Range, "Invalid timeout", "timeout is a duration such as \"10s\", not %q.", v.Timeout)
			}
		}
		if len(v.Auth) > 1 {
			found.wrong(v.Auth[1].Range, "Two ways to log in", "A vault block has one auth block.")
		}
		for _, a := range v.Auth {
			if _, err := a.secrets(); err != nil {
				found.wrong(a.Range, "Invalid auth", "%s.", err)
			}
		}
	}
	return found.diags
}

// vaults makes the connections by name.
func (c *agentConfig) vaults() map[string]secrets.VaultConfig {
	out := map[string]secrets.VaultConfig{}
	for _, v := range c.Vaults {
		s := secrets.VaultConfig{
			Address: v.Address, Namespace: v.Namespace, Timeout: v.timeout,
			TLS: tlsfiles.Config{
				CAFile: v.CAFile, CAPath: v.CAPath, CertFile: v.CertFile, KeyFile: v.KeyFile,
				ServerName: v.ServerName, Insecure: v.Insecure,
			},
		}
		for _, a := range v.Auth {
			s.Auth, _ = a.secrets() // checked before
		}
		out[v.Name] = s
	}
	return out
}

func (a *vaultAuth) secrets() (out secrets.Auth, err error) {
	switch a.Method {
	case "token_file":
		if a.Path == "" {
			return out, fmt.Errorf("auth \"token_file\" needs the path of the file")
		}
		out.TokenFile = a.Path
	case "approle":
		if (a.RoleID == "") == (a.RoleIDFile == "") {
			return out, fmt.Errorf("auth \"approle\" needs role_id or role_id_file, one of the two")
		}
		out.AppRole = &secrets.AppRole{Mount: a.Mount, RoleID: a.RoleID, RoleIDFile: a.RoleIDFile, SecretIDFile: a.SecretIDFile, Wrapped: a.Wrapped}
	case "jwt":
		out.JWT = &secrets.JWT{Mount: a.Mount, Role: a.Role, File: a.Path}
	case "aws":
		out.AWS = &secrets.AWSLogin{Mount: a.Mount, Role: a.Role, Region: a.Region, Endpoint: a.Endpoint, ServerID: a.ServerID}
	case "cert":
		out.Cert = &secrets.CertLogin{Mount: a.Mount, Role: a.Role}
	default:
		return out, fmt.Errorf("there is no way %q to log in: it is approle, jwt, aws, cert or token_file", a.Method)
	}
	return out, nil
}
