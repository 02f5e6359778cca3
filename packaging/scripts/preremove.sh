#!/bin/sh
# Stops the services when the package goes, not when another version takes its place: dpkg says "remove", rpm 0, and apk
# calls this only when it goes.
set -e
case ${1:-remove} in
remove | 0) ;;
[0-9]*.*) ;; # apk: the version that goes
*) exit 0 ;;
esac
if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
	systemctl disable --now 'sluice-envoy@*.service' sluice.service || true
fi
