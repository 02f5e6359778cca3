#!/usr/bin/env bash
# Serves an example: examples/run.sh calculator
#
# Starts what the example has besides sluice (its monolith), then `sluice dev` in front of it, and stops both, sluice
# first, on Ctrl-C. An example with an up.py is started by that instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
example=${1:-calculator}
if [ ! -d "examples/$example" ]; then
	echo "no example $example; there are: $(cd examples && echo */ | tr -d /)" >&2
	exit 3
fi

# An example with more than a monolith starts itself.
if [ -x "examples/$example/up.py" ]; then
	exec "examples/$example/up.py"
fi

sluice='' monolith=''
# forward passes a signal on to sluice, which drains Envoy and ends; the wait below then returns.
forward() { [ -z "$sluice" ] || kill -TERM "$sluice" 2>/dev/null || true; }
cleanup() {
	forward
	[ -z "$sluice" ] || wait "$sluice" 2>/dev/null || true
	[ -z "$monolith" ] || kill -TERM "$monolith" 2>/dev/null || true
	[ -z "$monolith" ] || wait "$monolith" 2>/dev/null || true
}
trap forward INT TERM
trap cleanup EXIT

# Each gets a process group of its own, so that a Ctrl-C reaches this script alone: the monolith has to answer what is
# under way while sluice drains.
set -m
if [ -d "examples/$example/monolith" ]; then
	go build -o "bin/$example-monolith" "./examples/$example/monolith"
	"bin/$example-monolith" &
	monolith=$!
fi
bin/sluice dev "examples/$example" &
sluice=$!
set +m

# wait returns early at a signal that is trapped; then sluice is ending, and is waited for again.
status=0
wait "$sluice" || status=$?
while kill -0 "$sluice" 2>/dev/null; do
	status=0
	wait "$sluice" || status=$?
done
sluice=''
exit "$status"
