package testenv

// UseAWS mounts the AWS secrets engine at aws/, with the simulator behind it. Roles are written with Write, at
// aws/roles/NAME; credentials are read at aws/creds/NAME.
func (v *Vault) UseAWS(a *AWS) {
	v.t.Helper()
	v.Mount("aws", "aws", nil)
	v.Write("aws/config/root", map[string]any{
		"access_key": a.Root.ID, "secret_key": a.Root.Secret, "region": a.Region,
		"iam_endpoint": a.Endpoint, "sts_endpoint": a.Endpoint, "sts_region": a.Region,
	})
}

// TrustAWS enables log-ins with IAM identities of the simulator at auth/aws, and adds a role that binds the identity
// with this ARN to policies. Log-ins carry the header value as X-Vault-AWS-IAM-Server-ID; empty: none is asked for.
func (v *Vault) TrustAWS(a *AWS, role, arn, header string, policies ...string) {
	v.t.Helper()
	v.EnableAuth("aws", "aws")
	v.Write("auth/aws/config/client", map[string]any{
		"access_key": a.Root.ID, "secret_key": a.Root.Secret,
		"iam_endpoint": a.Endpoint, "sts_endpoint": a.Endpoint, "sts_region": a.Region,
		"iam_server_id_header_value": header,
	})
	v.Write("auth/aws/role/"+role, map[string]any{
		"auth_type": "iam", "bound_iam_principal_arn": arn, "token_policies": policies,
		// Ids of users are looked up in IAM of AWS itself otherwise.
		"resolve_aws_unique_ids": false,
	})
}
