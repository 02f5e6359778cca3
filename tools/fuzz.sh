#!/usr/bin/env bash
# Runs every fuzz target for a while: tools/fuzz.sh 30s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-10s}
{ git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]*' -- '*_test.go' || true; } | while IFS=: read -r file func; do
	name=${func#func }
	echo "$name in ./$(dirname "$file") for $time"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "./$(dirname "$file")" </dev/null
done
