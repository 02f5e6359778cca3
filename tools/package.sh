#!/usr/bin/env bash
# Makes what is installed on Linux into dist/: static binaries in archives, deb, rpm and apk packages, and SHA256SUMS.
# Equal sources give equal files. What is in a package says packaging/nfpm.yaml.
#
#   ARCHES="amd64"   for which processors (default: amd64 arm64)
#   DIST=dir         where to (default: dist)
#   BINARIES=dir     sluice-ARCH in there are packaged as they are, rather than built
#   PACKAGING=dir    instead of packaging/, for tests
#   VERSION, LDFLAGS as make sets them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
ldflags=${LDFLAGS:--s -w -X main.version=$version}
arches=${ARCHES:-amd64 arm64}
dist=$(realpath -m "${DIST:-dist}")
packaging=$(realpath "${PACKAGING:-packaging}")
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
tools/install.sh nfpm
nfpm=$(tools/install.sh path nfpm)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
umask 022

# A version that deb, rpm and apk order alike: v1.2.3 and v1.2.3-rc1 stay what they are. Builds between releases come after
# the last one, in the order of their commits; without any release they are of 0.0.0.
export PACKAGE_ARCH PACKAGE_VERSION PACKAGE_RELEASE
PACKAGE_RELEASE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)
if [[ $version =~ ^v?([0-9]+\.[0-9]+\.[0-9]+)(-(alpha|beta|rc)\.?([0-9]+))?$ ]]; then
	PACKAGE_VERSION=${BASH_REMATCH[1]}${BASH_REMATCH[3]:+-${BASH_REMATCH[3]}${BASH_REMATCH[4]}}
	PACKAGE_RELEASE=1
elif [[ $version =~ ^v?([0-9]+\.[0-9]+\.[0-9]+)- ]]; then
	PACKAGE_VERSION=${BASH_REMATCH[1]}
else
	PACKAGE_VERSION=0.0.0
fi

rm -rf "$dist"
mkdir -p "$dist" "$stage/man"

# binary ARCH FILE: a static one.
binary() {
	if [ -n "${BINARIES:-}" ]; then
		cp "$BINARIES/sluice-$1" "$2"
		return
	fi
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$2" ./cmd/sluice
}

# Manual pages and completions are the same for all processors; they come from a binary that runs here.
host=$(go env GOHOSTARCH)
if [ "$(go env GOHOSTOS)" = linux ]; then
	binary "$host" "$stage/host"
else
	go build -ldflags "$ldflags" -o "$stage/host" ./cmd/sluice
fi
"$stage/host" man "$stage/man"
gzip -n9 "$stage"/man/*.1

# layout DIR ARCH: the files of a package.
layout() {
	local usr=$1/usr etc=$1/etc
	local share=$usr/share
	install -D -m 755 "$stage/sluice-$2" "$usr/bin/sluice"
	install -D -m 644 -t "$usr/lib/systemd/system" "$packaging"/systemd/*.service
	install -D -m 644 -t "$usr/lib/sysusers.d" "$packaging"/sysusers.d/sluice.conf
	install -D -m 644 -t "$share/man/man1" "$stage"/man/*.gz
	install -D -m 644 -t "$share/doc/sluice" README.md CHANGELOG.md docs/*.md
	install -D -m 644 -t "$share/doc/sluice/examples" "$packaging"/examples/*
	[ ! -f LICENSE ] || install -m 644 -t "$share/doc/sluice" LICENSE
	mkdir -p "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
	"$stage/host" completion bash >"$share/bash-completion/completions/sluice"
	"$stage/host" completion zsh >"$share/zsh/site-functions/_sluice"
	"$stage/host" completion fish >"$share/fish/vendor_completions.d/sluice.fish"
	install -D -m 644 "$packaging"/config/server.hcl "$etc/sluice.d/server.hcl"
	install -D -m 644 -t "$etc/sluice/documents" "$packaging"/config/documents/*.hcl
	install -D -m 644 -t "$etc/sluice" "$packaging"/config/envoy.env
	cp -r "$packaging"/scripts "$1/scripts"
	find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

for PACKAGE_ARCH in $arches; do
	if [ "$PACKAGE_ARCH" = "$host" ] && [ "$(go env GOHOSTOS)" = linux ]; then
		cp "$stage/host" "$stage/sluice-$PACKAGE_ARCH"
	else
		binary "$PACKAGE_ARCH" "$stage/sluice-$PACKAGE_ARCH"
	fi
	name=sluice_${version}_linux_$PACKAGE_ARCH
	install -D -m 755 "$stage/sluice-$PACKAGE_ARCH" "$stage/$name/sluice"
	install -m 644 -t "$stage/$name" README.md CHANGELOG.md
	[ ! -f LICENSE ] || install -m 644 -t "$stage/$name" LICENSE
	tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" |
		gzip -n9 >"$dist/$name.tar.gz"
	layout "$stage/$PACKAGE_ARCH" "$PACKAGE_ARCH"
	for kind in deb rpm apk; do
		(cd "$stage/$PACKAGE_ARCH" && "$nfpm" package --config "$packaging/nfpm.yaml" --packager $kind --target "$dist/" >/dev/null)
	done
done
(cd "$dist" && sha256sum -- *.tar.gz *.deb *.rpm *.apk >SHA256SUMS && cat SHA256SUMS)
