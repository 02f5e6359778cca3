package hcl

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func (d *decoder) checkSecret(s *gateway.Secret, at ranges) {
	d.exclusive(at[""], "Invalid secret", fmt.Sprintf("The secret %q", s.Name), false, map[string]bool{
		"vault_kv": s.VaultKV != nil, "vault_aws": s.VaultAWS != nil, "file": s.File != nil, "env": s.Env != nil,
	}, "vault_kv", "vault_aws", "file", "env")
}

// vaultPath refuses paths that Vault would take for another one.
func (d *decoder) vaultPath(attr, path string, at ranges) {
	why := ""
	switch {
	case strings.Trim(path, "/") == "":
		why = "is empty"
	case strings.HasPrefix(path, "/"), strings.HasSuffix(path, "/"), strings.Contains(path, "//"):
		why = "has a slash that parts nothing"
	case strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }), strings.ContainsAny(path, "?#*"):
		why = "holds a character that no path has"
	}
	for _, part := range strings.Split(path, "/") {
		if part == "." || part == ".." {
			why = "has a part " + part
		}
	}
	if why != "" {
		d.error(at.of(attr), "Invalid secret", fmt.Sprintf("The %s %q %s.", attr, path, why))
	}
}

func (d *decoder) checkVaultKV(v *gateway.VaultKV, at ranges) {
	d.vaultPath("mount", v.Mount, at)
	d.vaultPath("path", v.Path, at)
}

// shortestSTS is the least lifetime that AWS gives temporary credentials.
const shortestSTS = 15 * time.Minute

func (d *decoder) checkVaultAWS(v *gateway.VaultAWS, at ranges) {
	d.vaultPath("mount", v.Mount, at)
	d.vaultPath("role", v.Role, at)
	if v.RoleARN != "" && v.Type != "assumed_role" {
		d.error(at.of("role_arn"), "Invalid secret", fmt.Sprintf("\"role_arn\" is for the type assumed_role; the type is %s.", v.Type))
	}
	if v.RoleARN != "" && !strings.HasPrefix(v.RoleARN, "arn:") {
		d.error(at.of("role_arn"), "Invalid secret", fmt.Sprintf("%q is no ARN: those begin with \"arn:\".", v.RoleARN))
	}
	if _, written := at["ttl"]; written {
		switch {
		case v.Type == "iam_user":
			d.error(at.of("ttl"), "Invalid secret", "Credentials of the type iam_user live as long as their lease; \"ttl\" is for the other types.")
		case v.TTL != 0 && v.TTL < shortestSTS:
			d.error(at.of("ttl"), "Invalid secret", fmt.Sprintf("AWS gives no credentials for less than %s; \"ttl\" is %s.", shortestSTS, v.TTL))
		}
	}
	if v.Region != "" && !awsRegion.MatchString(v.Region) {
		d.error(at.of("region"), "Invalid region", fmt.Sprintf("%q is no region of AWS, such as \"eu-central-1\".", v.Region))
	}
	if _, written := at["sts_endpoint"]; written {
		d.checkEndpoint(v.Endpoint, at.of("sts_endpoint"))
	}
}

func (d *decoder) checkFileValue(f *gateway.FileValue, at ranges) {
	d.inFilesOnly("A file", at[""])
	if f.Path == "" {
		d.error(at.of("path"), "Invalid secret", "The path of the file is empty.")
	}
	if f.Field != "" && !f.JSON {
		d.error(at.of("field"), "Invalid secret", "Fields are those of a JSON object: set json = true, or remove \"field\".")
	}
}

func (d *decoder) checkEnvValue(e *gateway.EnvValue, at ranges) {
	d.inFilesOnly("The environment", at[""])
	if e.Name == "" || strings.ContainsAny(e.Name, "=\x00 ") {
		d.error(at.of("name"), "Invalid secret", fmt.Sprintf("%q is no name of an environment variable.", e.Name))
	}
}
