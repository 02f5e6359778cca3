// Package packaging holds what is installed with sluice: systemd's units and users, the first configuration, the scripts of
// packages, and what is in them (nfpm.yaml). tools/package.sh and tools/image.sh make deb, rpm and apk packages and an OCI
// image of it. There is no code in here but the tests, which read, install and upgrade what was made.
package packaging
