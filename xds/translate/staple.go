package translate

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"github.com/sluice-gateway/sluice/gateway"
)

// stapleFields are the names under which an OCSP response is stored: DER, DER in base64, or PEM.
var stapleFields = []string{"ocsp_staple", "ocsp", "tls.ocsp-staple"}

// stapleOf is the OCSP response of the material, in DER; nil where it has none.
func stapleOf(secret gateway.ID, found gateway.Material, chain []*x509.Certificate) ([]byte, error) {
	for _, f := range stapleFields {
		text, ok := found.Reveal(f)
		if text = bytes.TrimSpace(text); !ok || len(text) == 0 {
			continue
		}
		der := derOf(text)
		of, err := stapledSerial(der)
		if err != nil {
			return nil, material(secret, "the field %q of %s holds no OCSP response that can be stapled: %s", f, secret, err)
		}
		if of.Cmp(chain[0].SerialNumber) != 0 {
			return nil, material(secret, "the OCSP response in the field %q of %s is of another certificate", f, secret)
		}
		return der, nil
	}
	return nil, nil
}

// derOf takes PEM or base64 from around DER.
func derOf(text []byte) []byte {
	if b, _ := pem.Decode(text); b != nil {
		return b.Bytes
	}
	plain := bytes.Join(bytes.Fields(text), nil)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(plain)))
	if n, err := base64.StdEncoding.Decode(out, plain); err == nil {
		return out[:n]
	}
	return text
}

// ocspBasic is the only kind of response that there is.
var ocspBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}

// The parts of RFC 6960, section 4.2.1, as far as they are looked at.
type (
	ocspResponse struct {
		Status asn1.Enumerated
		Bytes  ocspBytes `asn1:"explicit,tag:0,optional"`
	}
	ocspBytes struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	}
	ocspBasicResponse struct {
		Data      ocspData
		Algorithm asn1.RawValue
		Signature asn1.BitString
		Chain     asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
	ocspData struct {
		Version   int `asn1:"optional,default:0,explicit,tag:0"`
		Responder asn1.RawValue
		At        asn1.RawValue
		Responses []ocspSingle
	}
	ocspSingle struct { // more follows
		ID ocspID
	}
	ocspID struct {
		Algorithm         asn1.RawValue
		Issuer, IssuerKey []byte
		Serial            *big.Int
	}
)

// stapledSerial is the serial number of the one certificate that an OCSP response is of. What it says of that is between
// the authority and the clients; when it has ended, Envoy leaves it out.
func stapledSerial(der []byte) (*big.Int, error) {
	var r ocspResponse
	if rest, err := asn1.Unmarshal(der, &r); err != nil || len(rest) > 0 {
		return nil, errors.New("it is none")
	}
	if r.Status != 0 {
		return nil, fmt.Errorf("it is an error, %d", r.Status)
	}
	if !r.Bytes.Type.Equal(ocspBasic) {
		return nil, errors.New("its kind is not known")
	}
	var basic ocspBasicResponse
	if rest, err := asn1.Unmarshal(r.Bytes.Response, &basic); err != nil || len(rest) > 0 {
		return nil, errors.New("it cannot be read")
	}
	if n := len(basic.Data.Responses); n != 1 {
		return nil, fmt.Errorf("it is of %d certificates, not one", n)
	}
	return basic.Data.Responses[0].ID.Serial, nil
}
