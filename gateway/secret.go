package gateway

import (
	"errors"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Secret is a reference to something secret and how it is renewed. Exactly one of its blocks, or Mesh, is set. The value itself is
// never part of a world: only package secrets has it, and hands it to xds.
//
//sluice:block secret "NAME"
type Secret struct {
	Name     string     `hcl:"name,label"`
	VaultKV  *VaultKV   `hcl:"vault_kv,block"`
	VaultAWS *VaultAWS  `hcl:"vault_aws,block"`
	File     *FileValue `hcl:"file,block"`
	Env      *EnvValue  `hcl:"env,block"`
	Range    hcl.Range  `hcl:",def_range"`

	Mesh *MeshIdentity // no document has it: see MeshSecret
}

// MeshIdentity is sluice's own identity in the service mesh of a connection. Its material has the fields "certificate",
// "private_key" and "ca", all PEM, and "name": the SPIFFE name of the certificate.
type MeshIdentity struct {
	Connection string
}

// VaultKV reads a secret of a key/value engine. Docs: https://developer.hashicorp.com/vault/api-docs/secret/kv
//
//sluice:block vault_kv
type VaultKV struct {
	Connection string        `hcl:"connection,optional"`
	Mount      string        `hcl:"mount,optional" default:"secret"`
	Path       string        `hcl:"path"`
	Field      string        `hcl:"field,optional"` // what a whole-value use takes; may be left out where the secret has just one
	Version    int           `hcl:"version,optional" default:"2" oneof:"1 2"`
	Interval   time.Duration `hcl:"interval,optional" default:"5m" min:"1s" max:"24h"` // between looks at its version
	Range      hcl.Range     `hcl:",def_range"`
}

// VaultAWS reads AWS credentials of the AWS engine. Docs: https://developer.hashicorp.com/vault/api-docs/secret/aws
//
//sluice:block vault_aws
type VaultAWS struct {
	Connection string        `hcl:"connection,optional"`
	Mount      string        `hcl:"mount,optional" default:"aws"`
	Role       string        `hcl:"role"`
	Type       string        `hcl:"type,optional" default:"iam_user" oneof:"iam_user assumed_role federation_token session_token"`
	RoleARN    string        `hcl:"role_arn,optional"`      // of an assumed_role whose Vault role lists several
	TTL        time.Duration `hcl:"ttl,optional" max:"36h"` // of sts credentials; 0 leaves it to Vault
	Region     string        `hcl:"region,optional"`        // of the sts call that proves new credentials; default us-east-1
	Endpoint   string        `hcl:"sts_endpoint,optional"`  // instead of that region's
	Range      hcl.Range     `hcl:",def_range"`
}

// FileValue reads a secret from a file, which is read again when it changes. With JSON = true its top-level strings are
// fields ("access_key", "secret_key"), else the content, less one final newline, is the only one.
//
//sluice:block file
type FileValue struct {
	Path  string    `hcl:"path"`
	JSON  bool      `hcl:"json,optional"`
	Field string    `hcl:"field,optional"`
	Range hcl.Range `hcl:",def_range"`
}

// EnvValue reads a secret from the control plane's environment, once at its start.
//
//sluice:block env
type EnvValue struct {
	Name  string    `hcl:"name"`
	Range hcl.Range `hcl:",def_range"`
}

// Material is the content of a secret: named fields. It cannot be printed or marshalled by accident: every such way
// gives "[redacted]" or an error. Its zero value has no fields. It is immutable.
//
// Names of fields: those of the engine: for AWS "access_key", "secret_key" and "security_token" (may be missing); for
// what is one value, "value".
type Material struct{ fields map[string][]byte }

// NewMaterial takes ownership of fields.
func NewMaterial(fields map[string][]byte) Material { return Material{fields} }

// Reveal returns one field in clear. Callers are package xds/translate and the source that uses the secret; what it
// returns is not to be changed, logged or kept.
func (m Material) Reveal(field string) ([]byte, bool) {
	v, ok := m.fields[field]
	return v, ok
}

// IsZero says that there is nothing in m.
func (m Material) IsZero() bool { return len(m.fields) == 0 }

// String implements fmt.Stringer.
func (m Material) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (m Material) GoString() string { return "[redacted]" }

// MarshalJSON always fails.
func (m Material) MarshalJSON() ([]byte, error) { return nil, errMaterial }

// MarshalText always fails.
func (m Material) MarshalText() ([]byte, error) { return nil, errMaterial }

var errMaterial = errors.New("secret material is not written anywhere")

// Reveal gives the material of a secret as it stands; ok is false while it is unknown or has expired.
type Reveal func(secret ID) (m Material, ok bool)
