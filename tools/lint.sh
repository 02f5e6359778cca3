#!/usr/bin/env bash
# All that `make lint` checks; runs to the end before it fails, so that one look shows everything.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bad=0
check() {
	"$@" || {
		echo "failed: $*" >&2
		bad=1
	}
}

unformatted() {
	local files
	files=$(gofmt -s -l $(git ls-files --cached --others --exclude-standard '*.go'))
	[ -z "$files" ] || {
		echo "not formatted (make fmt):" "$files"
		return 1
	}
}

version=$(sed -nE 's|.*golangci-lint/v2 v([^ ]+).*|\1|p' tools/lint/go.mod | head -n 1)
check unformatted
check "$(tools/install.sh where)/golangci-lint-$version/golangci-lint" run ./...
check go mod tidy -diff
check go mod verify
for script in tools/*.sh examples/*.sh .ci/run; do
	check bash -n "$script"
done
exit $bad
