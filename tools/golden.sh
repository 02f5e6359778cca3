#!/usr/bin/env bash
# Rewrites the golden files of the packages whose tests have a flag for it, and shows what changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/install.sh envoy
own=$(git grep --untracked -l 'flag.Bool("update"' -- '*_test.go' | xargs -r -n 1 dirname | sed 's|^|./|' | sort -u)
features=$(go list -f '{{.Dir}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
	grep 'sluice/internal/featuretest' | cut -d ' ' -f 1 || true)
status=0
for package in $own $features; do
	go test -count=1 "$package" -update || status=1
done
git --no-pager diff --stat -- '*testdata*'
exit $status
