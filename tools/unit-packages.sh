#!/usr/bin/env bash
# Prints the packages whose tests run without a real server: those that use none of the packages that start one,
# nor make packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go list -f '{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
	grep -vE 'sluice/(internal/(testenv|featuretest)|bench|packaging)' | cut -d ' ' -f 1
