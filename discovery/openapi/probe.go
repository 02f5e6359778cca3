package openapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// usualPaths are those at which frameworks serve documents, the most common ones first.
var usualPaths = []string{
	"/openapi.json", "/openapi.yaml", "/swagger.json", "/v3/api-docs", "/v2/api-docs", "/swagger/v1/swagger.json",
	"/openapi/v1.json", "/api-docs", "/api-json", "/documentation/json", "/q/openapi", "/openapi",
}

// catalogPath is where a service lists its interfaces: https://www.rfc-editor.org/rfc/rfc9727.
const (
	catalogPath = "/.well-known/api-catalog"
	maxCatalog  = 3 // documents of it that are tried
)

// search tries the usual paths, one after the other, and takes the first that has a document. It stops early at an
// endpoint that does not answer.
func search(ctx context.Context, c *client, read reader) (path string, got found, functions []*gateway.Function, err error) {
	var telling error // what says more than that there is nothing
	try := func(path string) (found, []*gateway.Function, error) {
		got, err := c.ask(ctx, path, document{})
		if err != nil {
			return found{}, nil, err
		}
		functions, err := read(ctx, got.body, got.path)
		if err != nil {
			return got, nil, fmt.Errorf("read %s: %w", c.url(path), err)
		}
		return got, functions, nil
	}
	paths := append(append([]string{}, usualPaths...), catalogPath)
	for i := 0; i < len(paths); i++ {
		got, functions, err := try(paths[i])
		switch {
		case err == nil:
			return paths[i], got, functions, nil
		case errors.As(err, new(*silence)):
			return "", found{}, nil, err
		case paths[i] == catalogPath:
			paths = append(paths, catalog(got.body)...)
			continue
		}
		if status := (*refusal)(nil); telling == nil && (!errors.As(err, &status) || status.status != http.StatusNotFound) {
			telling = err
		}
	}
	err = fmt.Errorf("there is no OpenAPI document at %s, at none of the %d usual paths", c.url("/"), len(usualPaths)+1)
	if telling != nil {
		err = fmt.Errorf("%w; of note: %w", err, telling)
	}
	return "", found{}, nil, err
}

// catalog is the paths of the descriptions that a catalog links to. Their hosts do not matter: it is the endpoint that
// is asked for them.
func catalog(body []byte) []string {
	root, err := read(body)
	if err != nil {
		return nil
	}
	var paths []string
	for set := range root.get("linkset").items() {
		for link := range set.get("service-desc").items() {
			u, err := url.Parse(link.get("href").text())
			if err == nil && strings.HasPrefix(u.Path, "/") && len(paths) < maxCatalog {
				paths = append(paths, u.RequestURI())
			}
		}
	}
	return paths
}
