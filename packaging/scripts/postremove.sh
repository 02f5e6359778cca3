#!/bin/sh
# Users, configuration and state stay: another version may be installed.
set -e
if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
