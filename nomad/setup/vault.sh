#!/bin/sh
# Lets the jobs of sluice log in to Vault, or OpenBao, by their workload identities: policies, an auth method of type jwt,
# and a role for each job that no other job fits. Run it as often as you like: it makes what is missing and changes what
# differs. With several gateways run it once for each.
#
# Vault's address and an operator's token come from VAULT_ADDR, VAULT_TOKEN and their kin.
#
#   NOMAD_JWKS_URL          where Nomad shows its keys; default http://127.0.0.1:4646/.well-known/jwks.json
#   NOMAD_JWKS_CA_FILE      authority of that address, where it is https and not known to the system
#   NOMAD_PUBLIC_KEY_FILE   the public key in PEM, instead of an address; then a new key of Nomad needs a new run
#   SLUICE_NAMESPACE        Nomad namespace of the jobs; default "default"
#   SLUICE_JOB, SLUICE_TASK            the control plane; default "sluice" and "server"
#   SLUICE_EDGE_JOB, SLUICE_EDGE_TASK  the Envoys; default "sluice-edge" and "envoy"
#   SLUICE_GATEWAY          the gateway that the Envoys join; default "edge"
#   SLUICE_TRUST_DOMAIN     of the Envoys' certificates; default "sluice"
#   SLUICE_XDS_NAMES        names in the control plane's certificates; default "sluice-xds.service.consul,localhost"
#   SLUICE_VAULT_METHOD     path of the auth method; default "jwt-nomad"
#   SLUICE_VAULT_AUDIENCE   aud of the identities in the job files; default "vault.io"
#   SLUICE_VAULT_TTL        a token ends when it is not renewed for so long; default "30m"
#   SLUICE_KV, SLUICE_KV1, SLUICE_AWS, SLUICE_PKI
#                           paths of the engines; default "secret", "kv", "aws", "pki"
#   SLUICE_MOUNT            engines to make where they are missing: any of "kv aws pki"; default none
#   SLUICE_CERT_TTL         longest life of a certificate; default "72h"
#   VAULT                   the command: "vault", or "bao"; default "vault"
set -eu

here=$(cd "$(dirname "$0")" && pwd)
policies=${SLUICE_POLICIES:-$here/../../secrets/policies}
vault=${VAULT:-vault}
namespace=${SLUICE_NAMESPACE:-default}
job=${SLUICE_JOB:-sluice}
task=${SLUICE_TASK:-server}
edge_job=${SLUICE_EDGE_JOB:-sluice-edge}
edge_task=${SLUICE_EDGE_TASK:-envoy}
gateway=${SLUICE_GATEWAY:-edge}
trust=${SLUICE_TRUST_DOMAIN:-sluice}
names=${SLUICE_XDS_NAMES:-sluice-xds.service.consul,localhost}
method=${SLUICE_VAULT_METHOD:-jwt-nomad}
audience=${SLUICE_VAULT_AUDIENCE:-vault.io}
ttl=${SLUICE_VAULT_TTL:-30m}
kv=${SLUICE_KV:-secret}
kv1=${SLUICE_KV1:-kv}
aws=${SLUICE_AWS:-aws}
pki=${SLUICE_PKI:-pki}
cert_ttl=${SLUICE_CERT_TTL:-72h}
jwks=${NOMAD_JWKS_URL:-http://127.0.0.1:4646/.well-known/jwks.json}

# What is put into JSON and policies must not be able to end them, nor stand for more than itself.
for value in "$namespace" "$job" "$task" "$edge_job" "$edge_task" "$gateway" "$trust" "$names" "$method" "$audience" "$ttl" \
  "$kv" "$kv1" "$aws" "$pki" "$cert_ttl" "$jwks"; do
  case $value in
    '' | *[!A-Za-z0-9._/:@,-]*) echo "vault.sh: \"$value\" holds what no name here holds" >&2; exit 2 ;;
  esac
done

# mounted PATH: an engine is there.
mounted() { "$vault" secrets list -format=json | grep -q "\"$1/\": *{"; }

# wants WORD: SLUICE_MOUNT has it.
wants() {
  case " ${SLUICE_MOUNT:-} " in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
  esac
}

# engine WORD PATH TYPE…: makes an engine that is wanted and missing.
engine() {
  word=$1 path=$2
  shift 2
  if wants "$word" && ! mounted "$path"; then
    "$vault" secrets enable -path "$path" "$@" >/dev/null
  fi
}

# The control plane: what the shipped policy says, and certificates for its own names.
{
  sed "s|\"secret/|\"$kv/|g; s|\"kv/|\"$kv1/|g; s|\"aws/|\"$aws/|g" "$policies/vault.hcl"
  cat <<HCL

# Certificates of the control plane.
path "$pki/issue/sluice-control-plane" { capabilities = ["update"] }
path "$pki/cert/ca" { capabilities = ["read"] }
HCL
} | "$vault" policy write sluice-control-plane - >/dev/null

# The Envoys: a certificate that names their gateway, and nothing else.
"$vault" policy write "sluice-gateway-$gateway" - >/dev/null <<HCL
path "$pki/issue/sluice-gateway-$gateway" { capabilities = ["update"] }
path "$pki/cert/ca" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
HCL

if ! "$vault" auth list -format=json | grep -q "\"$method/\": *{"; then
  "$vault" auth enable -path "$method" -description "workload identities of Nomad" jwt >/dev/null
fi
if [ -n "${NOMAD_PUBLIC_KEY_FILE:-}" ]; then
  "$vault" write "auth/$method/config" "jwt_validation_pubkeys=@$NOMAD_PUBLIC_KEY_FILE" jwt_supported_algs=RS256,EdDSA >/dev/null
elif [ -n "${NOMAD_JWKS_CA_FILE:-}" ]; then
  "$vault" write "auth/$method/config" "jwks_url=$jwks" "jwks_ca_pem=@$NOMAD_JWKS_CA_FILE" jwt_supported_algs=RS256,EdDSA >/dev/null
else
  "$vault" write "auth/$method/config" "jwks_url=$jwks" jwt_supported_algs=RS256,EdDSA >/dev/null
fi

# role NAME JOB TASK: who has this identity gets the policy of the same name. Tokens go on for as long as they are renewed.
role() {
  "$vault" write "auth/$method/role/$1" - >/dev/null <<JSON
{
  "role_type": "jwt",
  "bound_audiences": ["$audience"],
  "bound_claims": {
    "nomad_namespace": "$namespace",
    "nomad_job_id": "$2",
    "nomad_task": "$3"
  },
  "user_claim": "/nomad_job_id",
  "user_claim_json_pointer": true,
  "claim_mappings": {
    "nomad_namespace": "nomad_namespace",
    "nomad_job_id": "nomad_job_id",
    "nomad_task": "nomad_task"
  },
  "token_type": "service",
  "token_policies": ["$1"],
  "token_no_default_policy": true,
  "token_period": "$ttl"
}
JSON
}
role sluice-control-plane "$job" "$task"
role "sluice-gateway-$gateway" "$edge_job" "$edge_task"

engine kv "$kv" -version 2 kv
engine aws "$aws" aws
engine pki "$pki" -max-lease-ttl 87600h pki

# The API of a control plane that other machines reach needs a token. It is made once.
if wants kv && ! "$vault" kv get -mount "$kv" sluice/api >/dev/null 2>&1; then
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' | "$vault" kv put -mount "$kv" sluice/api token=- >/dev/null
fi

if mounted "$pki"; then
  if ! "$vault" read "$pki/cert/ca" 2>/dev/null | grep -q "BEGIN CERTIFICATE"; then
    "$vault" write "$pki/root/generate/internal" common_name="sluice" ttl=87600h key_type=ec key_bits=256 >/dev/null
  fi
  "$vault" write "$pki/roles/sluice-control-plane" allowed_domains="$names" allow_bare_domains=true allow_subdomains=false \
    allow_ip_sans=true require_cn=false server_flag=true client_flag=false key_type=ec key_bits=256 max_ttl="$cert_ttl" >/dev/null
  "$vault" write "$pki/roles/sluice-gateway-$gateway" allowed_uri_sans="spiffe://$trust/gateway/$gateway" allow_ip_sans=false \
    allow_localhost=false require_cn=false server_flag=false client_flag=true key_type=ec key_bits=256 max_ttl="$cert_ttl" >/dev/null
fi
echo "vault: the jobs $job and $edge_job of namespace $namespace log in at auth/$method as sluice-control-plane and sluice-gateway-$gateway"
