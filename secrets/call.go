package secrets

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// young is how long a login may be unknown to a standby that answers instead of the active node.
const (
	young     = 10 * time.Second
	catchUpIn = 300 * time.Millisecond
)

// read reads a path as `vault read` does. An empty answer is an error: absent. An answer of 404 that has data, as of a
// deleted version, is an answer.
func (c *conn) read(ctx context.Context, path string, query map[string][]string) (*api.Secret, *session, error) {
	return c.call(ctx, "read "+path, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		return client.Logical().ReadWithDataWithContext(ctx, path, query)
	})
}

// write writes to a path; an empty answer is none.
func (c *conn) write(ctx context.Context, path string, body map[string]any) (*api.Secret, *session, error) {
	s, session, err := c.call(ctx, "write "+path, func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		s, err := client.Logical().WriteWithContext(ctx, path, body)
		if s == nil && err == nil {
			s = &api.Secret{}
		}
		return s, err
	})
	return s, session, err
}

// call makes one request with the session, within the deadline of the connection.
func (c *conn) call(ctx context.Context, what string, do func(context.Context, *api.Client) (*api.Secret, error)) (*api.Secret, *session, error) {
	session, err := c.await(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := c.once(ctx, what, session.client, do)
	switch statusOf(err) {
	case 403, 404, 412:
		if time.Since(session.born) < young {
			if !sleep(ctx, catchUpIn) {
				return nil, session, err
			}
			s, err = c.once(ctx, what, session.client.WithRequestCallbacks(api.ForwardInconsistent()), do)
		}
	}
	if statusOf(err) == 403 {
		c.ask()
	}
	return s, session, err
}

// ask makes the goroutine that holds the login look whether the token is still good.
func (c *conn) ask() {
	select {
	case c.doubt <- struct{}{}:
	default:
	}
}

// once makes one request, and turns its error into one that can be shown.
func (c *conn) once(ctx context.Context, what string, client *api.Client, do func(context.Context, *api.Client) (*api.Secret, error)) (*api.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, vaultError(ctx, what, ctx.Err())
	}
	s, err := do(ctx, client)
	err = vaultError(ctx, what, err)
	if s == nil && err == nil {
		err = answered(what, 404, nil)
	}
	status := statusOf(err)
	if err == nil {
		status = 200
	}
	c.mu.Lock()
	c.counts.codes[status]++
	c.mu.Unlock()
	return s, err
}

// clean joins a mount and what is below it.
func clean(parts ...string) string {
	for i, p := range parts {
		parts[i] = strings.Trim(p, "/")
	}
	return strings.Join(parts, "/")
}
