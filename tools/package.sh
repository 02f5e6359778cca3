#!/usr/bin/env bash
# Builds static binaries for Linux into dist/, one archive an architecture, and SHA256SUMS. Equal sources give equal
# archives.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${VERSION:-dev}
stamp=$(git log -1 --format=%ct 2>/dev/null || echo 0)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
rm -rf dist
mkdir -p dist
for arch in amd64 arm64; do
	name=sluice_${version}_linux_$arch
	mkdir "$stage/$name"
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false -ldflags "${LDFLAGS:--s -w}" \
		-o "$stage/$name/sluice" ./cmd/sluice
	cp README.md CHANGELOG.md "$stage/$name/"
	[ ! -f LICENSE ] || cp LICENSE "$stage/$name/"
	tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$stamp" -cf - "$name" |
		gzip -n9 >"dist/$name.tar.gz"
done
(cd dist && sha256sum -- *.tar.gz >SHA256SUMS && cat SHA256SUMS)
