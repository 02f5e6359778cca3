#!/bin/sh
# Makes the users of the units and tells systemd of the units. No service is started or restarted: after an upgrade the
# operator does that, one machine after the other.
set -e
root=${DPKG_ROOT:-}
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers ${root:+--root="$root"} sluice.conf
elif [ -z "$root" ] && command -v adduser >/dev/null; then # Alpine
	for name in sluice sluice-envoy; do
		id "$name" >/dev/null 2>&1 || { addgroup -S "$name" && adduser -S -D -H -h /var/lib/sluice -s /sbin/nologin -G "$name" "$name"; }
	done
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
