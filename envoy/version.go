package envoy

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Pinned is the version that sluice is built and tested with, and the oldest that it runs.
const Pinned = "1.40.0"

// Version asks the binary at path for its version, "1.40.0". It is an error if the binary does not say one, or says one
// older than Pinned.
func Version(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w: %.200s", path, err, out)
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("ask %s for its version: it says %.200q, which no Envoy does", path, out)
	}
	v := string(m[1])
	if older(v, Pinned) {
		return v, fmt.Errorf("envoy at %s is version %s: sluice needs %s or newer", path, v, Pinned)
	}
	return v, nil
}

// Envoy says "envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL"; a development build has a suffix.
var versionText = regexp.MustCompile(`version: [0-9a-f]+/(\d+\.\d+\.\d+)`)

func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range x {
		m, _ := strconv.Atoi(x[i]) // digits by versionText
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m < n
		}
	}
	return false
}
