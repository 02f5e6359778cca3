package translate

import (
	"bytes"
	"fmt"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/gateway"
)

// wholeField is the field of a secret that is one value.
const wholeField = "value"

// MaterialError is the error of a unit whose secret holds nothing that it can be built of. No block is to blame: another
// version of the material mends it, and until then what the Envoys have stays.
type MaterialError struct {
	Secret  gateway.ID
	problem string // holds no part of the material
}

func (e *MaterialError) Error() string { return e.problem }

func material(secret gateway.ID, format string, args ...any) error {
	return &MaterialError{Secret: secret, problem: fmt.Sprintf(format, args...)}
}

// WithReveal is a Translator that can read the material of secrets; without, no secret is built. t is not changed.
func (t *Translator) WithReveal(reveal gateway.Reveal) *Translator {
	out := *t
	out.reveal = reveal
	return &out
}

// SystemAuthorities is where the authorities that a machine trusts are, on the machines of the Envoys.
const SystemAuthorities = systemCAs

// TLSSocket is the name of Envoy's transport socket for TLS.
const TLSSocket = tlsSocket

// secretWait is how long an Envoy that starts waits for a secret before it serves without.
const secretWait = 2 * time.Second

// SecretSource is where a feature's configuration gets the secret of a UnitSecret from.
func SecretSource(secret gateway.SecretUse) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: KeyOf(secret.Unit()).Name, SdsConfig: ads(secretWait)}
}

// secret builds the SDS resource of one field of a secret. The material is read at this moment, and is in the resource
// alone. Material that is not known any more, or that has not the field, is an error: what the Envoys have stays. No
// error holds a part of the material.
func (t *Translator) secret(in gateway.Inputs) (*Resource, error) {
	if in.Secret.IsZero() {
		return nil, nil
	}
	if in.Version == "" && in.Form == gateway.FormValue {
		return expired(KeyOf(in.Unit)), nil
	}
	if t.reveal == nil {
		return nil, material(in.Secret, "nobody can read %s", in.Secret)
	}
	found, ok := t.reveal(in.Secret)
	if !ok {
		return nil, material(in.Secret, "the material of %s is not known", in.Secret)
	}
	key := KeyOf(in.Unit)
	made, err := formed(in, found)
	if err != nil {
		return nil, err
	}
	made.Name = key.Name
	return &Resource{Key: key, Message: made}, nil
}

// expired takes the place of a value that has ended: what sends it finds nothing.
func expired(key Key) *Resource {
	return &Resource{Key: key, Message: &tlsv3.Secret{
		Name: key.Name, Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{Secret: inline(nil)}},
	}}
}

// formed is the material in the form that is asked for.
func formed(in gateway.Inputs, found gateway.Material) (*tlsv3.Secret, error) {
	switch in.Form {
	case gateway.FormCertificate:
		return certificate(in, found)
	case gateway.FormServed:
		return servedCertificate(in, found)
	case gateway.FormAuthorities, gateway.FormClientCA:
		return authorities(in, found)
	case gateway.FormPeers:
		return peers(in, found)
	}
	return value(in, found)
}

// value is one value as a header can hold it.
func value(in gateway.Inputs, found gateway.Material) (*tlsv3.Secret, error) {
	field := in.Field
	if field == "" {
		field = wholeField
	}
	value, ok := found.Reveal(field)
	if !ok {
		return nil, material(in.Secret, "%s has no field %q", in.Secret, field)
	}
	value = bytes.TrimRight(value, "\r\n")
	if len(value) == 0 {
		return nil, material(in.Secret, "field %q of %s is empty", field, in.Secret)
	}
	if bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return nil, material(in.Secret, "field %q of %s holds a line break or another control character, which no header can", field, in.Secret)
	}
	return &tlsv3.Secret{Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{Secret: inline(value)}}}, nil
}
