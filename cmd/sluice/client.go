package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

// defaultAddress is where a server's API is unless something else is said.
const defaultAddress = "127.0.0.1:8550"

// maxAnswer bounds what is read of one answer.
const maxAnswer = 256 << 20

// clientFlags say which server to ask, and how to print what it says.
type clientFlags struct {
	address, tokenFile, caCert string
	json, watch                bool
}

// clientCommand adds the flags of commands that ask a server.
func clientCommand(c *cobra.Command, f *clientFlags) *cobra.Command {
	c.Flags().StringVar(&f.address, "address", "", "`URL` of the server's API (default $SLUICE_ADDR or http://"+defaultAddress+")")
	c.Flags().StringVar(&f.tokenFile, "token-file", "", "`FILE` with the API's token (default $SLUICE_TOKEN_FILE; or $SLUICE_TOKEN)")
	c.Flags().StringVar(&f.caCert, "ca-cert", "", "`FILE` with the authority of the server's certificate (default $SLUICE_CACERT)")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// watchable adds -watch.
func watchable(c *cobra.Command, f *clientFlags) *cobra.Command {
	c.Flags().BoolVar(&f.watch, "watch", false, "print again every two seconds")
	return c
}

// client asks one server.
type client struct {
	base  string
	token string
	http  *http.Client
}

func (a *app) client(f clientFlags) (*client, error) {
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	base := first(f.address, a.env("SLUICE_ADDR"), "http://"+defaultAddress)
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usage("address %q: give http://HOST:PORT or https://HOST:PORT", base)
	}
	c := &client{base: strings.TrimSuffix(base, "/"), http: &http.Client{}}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	if path := first(f.caCert, a.env("SLUICE_CACERT")); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, usage("read authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usage("read authority %s: no certificate in it", path)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	c.http.Transport = transport
	path := first(f.tokenFile, a.env("SLUICE_TOKEN_FILE"))
	if c.token = a.env("SLUICE_TOKEN"); c.token == "" || f.tokenFile != "" {
		if path != "" {
			raw, err := os.ReadFile(path)
			if err != nil {
				return nil, usage("read token: %w", err)
			}
			c.token = strings.TrimSpace(string(raw))
		}
	}
	return c, nil
}

// get asks for a path and decodes the answer.
func (c *client) get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, nil, into)
}

// post sends a body and decodes the answer.
func (c *client) post(ctx context.Context, path string, body, into any) error {
	return c.do(ctx, http.MethodPost, path, body, into)
}

func (c *client) do(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	resp, err := c.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("read answer of %s%s: %w", c.base, path, err)
	}
	return nil
}

// open sends a request and returns a successful response.
func (c *client) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var raw io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		raw = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, raw)
	if err != nil {
		return nil, usage("ask %s: %w", c.base, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if bad := (*url.Error)(nil); errors.As(err, &bad) {
			err = bad.Err
		}
		return nil, fmt.Errorf("ask %s: %w\n\nIs a server running there? -address or $SLUICE_ADDR names another one", c.base, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var said console.Error
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said) != nil || said.Error == "" {
		said.Error = resp.Status
	}
	err = errors.New(said.Error)
	switch resp.StatusCode {
	case http.StatusBadRequest:
		return nil, &exit{codeUsage, err}
	case http.StatusUnauthorized:
		err = fmt.Errorf("%w (set $SLUICE_TOKEN, or -token-file)", err)
	}
	return nil, fmt.Errorf("ask %s: %w", c.base, err)
}

// look is a command that prints something a server knows.
func look[T any](a *app, c *cobra.Command, path func(args []string) string, show func(T)) *cobra.Command {
	var f clientFlags
	clientCommand(c, &f)
	watchable(c, &f)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(f)
		if err != nil {
			return err
		}
		for {
			var v T
			if err := cl.get(c.Context(), path(args), &v); err != nil {
				return err
			}
			if f.watch && isTerminal(a.out) {
				fmt.Fprint(a.out, "\x1b[H\x1b[2J")
			}
			if f.json {
				err = a.printJSON(v)
			} else {
				show(v)
			}
			if err != nil || !f.watch {
				return err
			}
			select {
			case <-c.Context().Done():
				return nil
			case <-time.After(2 * time.Second):
			}
		}
	}
	return c
}
