#!/usr/bin/env bash
# Makes the OCI image of sluice, an OCI layout in a tarball, and prints its digest. Equal sources give an equal digest.
#
#   ARCHES="amd64"   for which processors (default: amd64 arm64)
#   DIST=dir         where to (default: dist)
#   BINARIES=dir     sluice-ARCH in there go into the image as they are, rather than being built
#   VERSION, LDFLAGS as make sets them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
dist=$(realpath -m "${DIST:-dist}")
mkdir -p "$dist"
list=()
for arch in ${ARCHES:-amd64 arm64}; do
	binary=${BINARIES:+$BINARIES/sluice-$arch}
	if [ -z "$binary" ]; then
		binary=$stage/sluice-$arch
		CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false \
			-ldflags "${LDFLAGS:--s -w -X main.version=$version}" -o "$binary" ./cmd/sluice
	fi
	list+=("$arch=$(realpath "$binary")")
done
cd tools/image
GOWORK=off go run -mod=readonly . -o "$dist/sluice-image.tar" -version "$version" \
	-revision "$(git rev-parse HEAD 2>/dev/null || true)" "${list[@]}"
