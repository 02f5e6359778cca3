#!/bin/sh
# Lets the control plane of sluice, run by Nomad, log in to Consul by its workload identity: policies, a role, an auth
# method of type jwt, and a rule that binds the identity of one job to the role, and no other. Run it as often as you
# like: it makes what is missing and changes what differs. Gateways (edge.nomad.hcl) need nothing of Consul.
#
# Consul's address and an operator's token (acl = "write") come from CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN and their kin.
#
#   NOMAD_JWKS_URL          where Nomad shows its keys; default http://127.0.0.1:4646/.well-known/jwks.json. Every Consul
#                           server must reach it
#   NOMAD_JWKS_CA_FILE      authority of that address, where it is https and not known to the system
#   NOMAD_PUBLIC_KEY_FILE   the public key in PEM, instead of an address; then a new key of Nomad needs a new run
#   SLUICE_NAMESPACE        Nomad namespace of the job; default "default"
#   SLUICE_JOB              ID of the job; default "sluice"
#   SLUICE_TASK             its task; default "server"
#   SLUICE_CONSUL_PREFIX    consul_prefix of the agent's configuration; default "sluice/"
#   SLUICE_CONSUL_METHOD    name of the auth method; default "sluice"
#   SLUICE_CONSUL_AUDIENCE  aud of the identity in the job file; default "consul.io"
#   SLUICE_CONSUL_TTL       life of a token, a minute to a day; default "1h"
#   SLUICE_CONSUL_LOCALITY  local, or global where other datacenters are read with the same token; default "local"
#   CONSUL                  the consul command; default "consul"
set -eu

here=$(cd "$(dirname "$0")" && pwd)
policies=${SLUICE_POLICIES:-$here/../../catalog/policies}
consul=${CONSUL:-consul}
namespace=${SLUICE_NAMESPACE:-default}
job=${SLUICE_JOB:-sluice}
task=${SLUICE_TASK:-server}
prefix=${SLUICE_CONSUL_PREFIX:-sluice/}
method=${SLUICE_CONSUL_METHOD:-sluice}
audience=${SLUICE_CONSUL_AUDIENCE:-consul.io}
ttl=${SLUICE_CONSUL_TTL:-1h}
locality=${SLUICE_CONSUL_LOCALITY:-local}
jwks=${NOMAD_JWKS_URL:-http://127.0.0.1:4646/.well-known/jwks.json}

# What is put into JSON, selectors and policies must not be able to end them.
for value in "$namespace" "$job" "$task" "$prefix" "$method" "$audience" "$jwks"; do
  case $value in
    '' | *[!A-Za-z0-9._/:@-]*) echo "consul.sh: \"$value\" holds what no name here holds" >&2; exit 2 ;;
  esac
done
case $prefix in
  /*) echo "consul.sh: the prefix \"$prefix\" begins with a slash" >&2; exit 2 ;;
  */) ;;
  *) echo "consul.sh: the prefix \"$prefix\" does not end in a slash" >&2; exit 2 ;;
esac

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# policy NAME FILE: a policy that sluice ships, for this prefix.
policy() {
  sed "s|\"sluice/|\"$prefix|" "$policies/$2" >"$dir/$2"
  if "$consul" acl policy read -name "$1" >/dev/null 2>&1; then
    "$consul" acl policy update -name "$1" -no-merge -description "sluice: $2" -rules "@$dir/$2" >/dev/null
  else
    "$consul" acl policy create -name "$1" -description "sluice: $2" -rules "@$dir/$2" >/dev/null
  fi
}

# pem FILE: its text as it stands in a JSON string.
pem() { awk '{ sub(/\r$/, ""); printf "%s\\n", $0 }' "$1"; }

policy sluice-reader reader.hcl
policy sluice-writer writer.hcl

role=sluice-control-plane
if id=$("$consul" acl role read -name "$role" 2>/dev/null | awk '$1 == "ID:" { print $2; exit }') && [ -n "$id" ]; then
  "$consul" acl role update -id "$id" -no-merge -name "$role" -policy-name sluice-reader -policy-name sluice-writer >/dev/null
else
  "$consul" acl role create -name "$role" -policy-name sluice-reader -policy-name sluice-writer >/dev/null
fi

if [ -n "${NOMAD_PUBLIC_KEY_FILE:-}" ]; then
  keys="\"JWTValidationPubKeys\": [\"$(pem "$NOMAD_PUBLIC_KEY_FILE")\"]"
else
  keys="\"JWKSURL\": \"$jwks\""
  if [ -n "${NOMAD_JWKS_CA_FILE:-}" ]; then
    keys="$keys, \"JWKSCACert\": \"$(pem "$NOMAD_JWKS_CA_FILE")\""
  fi
fi
cat >"$dir/method.json" <<JSON
{
  $keys,
  "JWTSupportedAlgs": ["RS256"],
  "BoundAudiences": ["$audience"],
  "ClaimMappings": {
    "nomad_namespace": "nomad_namespace",
    "nomad_job_id": "nomad_job_id",
    "nomad_task": "nomad_task"
  }
}
JSON
if "$consul" acl auth-method read -name "$method" >/dev/null 2>&1; then
  "$consul" acl auth-method update -name "$method" -no-merge -description "sluice: workload identities of Nomad" \
    -max-token-ttl "$ttl" -token-locality "$locality" -config "@$dir/method.json" >/dev/null
else
  "$consul" acl auth-method create -name "$method" -type jwt -description "sluice: workload identities of Nomad" \
    -max-token-ttl "$ttl" -token-locality "$locality" -config "@$dir/method.json" >/dev/null
fi

# One rule, known by its description. An identity that it does not fit cannot log in at all.
selector="value.nomad_namespace == \"$namespace\" and value.nomad_job_id == \"$job\" and value.nomad_task == \"$task\""
rule="sluice: the control plane"
id=$("$consul" acl binding-rule list -method "$method" |
  awk -v rule="$rule" '/^[0-9a-f-]+:$/ { id = substr($1, 1, length($1) - 1) } index($0, "Description:") && index($0, rule) { print id; exit }')
if [ -n "$id" ]; then
  "$consul" acl binding-rule update -id "$id" -no-merge -description "$rule" -bind-type role -bind-name "$role" -selector "$selector" >/dev/null
else
  "$consul" acl binding-rule create -method "$method" -description "$rule" -bind-type role -bind-name "$role" -selector "$selector" >/dev/null
fi
echo "consul: the job $job of namespace $namespace logs in by $method and gets $role"
