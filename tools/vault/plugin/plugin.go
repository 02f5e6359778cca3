// Package plugin serves a backend of Vault as a plugin of Vault and of OpenBao.
package plugin

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
	"github.com/hashicorp/vault/sdk/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Main serves a backend until the server that started it ends.
func Main(backend logical.Factory) {
	err := plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: func(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
			config.System = system{config.System}
			return backend(ctx, config)
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve the plugin:", err)
		os.Exit(1)
	}
}

// system is the server, as the backend sees it. OpenBao cannot rotate what a backend is configured with, and says so
// when it is told to stop that; but a backend that was never told to begin has nothing to stop.
type system struct{ logical.SystemView }

func (s system) DeregisterRotationJob(ctx context.Context, job *rotation.RotationJobDeregisterRequest) error {
	err := s.SystemView.DeregisterRotationJob(ctx, job)
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	return err
}
