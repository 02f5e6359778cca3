#!/usr/bin/env bash
# Rewrites the golden files of the packages whose tests have a flag for it, and shows what changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/install.sh envoy
SLUICE_GOLDEN=rewrite go test -count=1 ./... || {
	echo "the tests above fail for other reasons than their golden files" >&2
	git --no-pager diff --stat -- '*testdata*'
	exit 1
}
git --no-pager diff --stat -- '*testdata*'
