package envoy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Validate asks the Envoy at path whether it would take a bootstrap (JSON). It needs no network. The error says in
// Envoy's own words what it refuses; errors.Is(err, ErrRefused) tells that from an Envoy that could not be asked.
func Validate(ctx context.Context, path string, bootstrapJSON []byte) error {
	f, err := os.CreateTemp("", "sluice-*.json")
	if err != nil {
		return fmt.Errorf("make a file for envoy to validate: %w", err)
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(bootstrapJSON); err != nil {
		return errors.Join(fmt.Errorf("write what envoy is to validate: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write what envoy is to validate: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--mode", "validate", "--config-path", f.Name(), "--log-level", "critical",
		"--log-format", "%v", "--disable-hot-restart")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		text := strings.TrimSpace(strings.ReplaceAll(output.String(), f.Name(), "bootstrap"))
		return fmt.Errorf("%w: %s", ErrRefused, text)
	default:
		return fmt.Errorf("run %s --mode validate: %w", path, err)
	}
}

// ErrRefused says that Envoy would not take a configuration.
var ErrRefused = errors.New("envoy refuses the configuration")
