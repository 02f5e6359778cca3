// Package openapi finds the operations of an HTTP service in its OpenAPI document.
//
// A newcomer's map:
//
//   - openapi.go: the finder; ask.go: one request; probe.go: where a document may be; file.go: one that lies on disk.
//   - document.go: a text becomes one value of JSON; value.go: reading it piece by piece.
//   - list.go: a document's operations; path.go, argument.go, schema.go, reference.go: their parts.
package openapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Options are what the agent says of all these finders. The zero value is usable.
type Options struct {
	Folder   string        // that File of a block is relative to and may not leave; "" refuses files
	Deadline time.Duration // of one request, until the last byte of its answer; 0 means 10 s
	Jitter   float64       // of the interval; see discovery.FinderPoll

	// Problems is told what was left out of each document that is read; none says that it is whole. Nil: nobody asks.
	Problems func(gateway.FinderKey, []string)
}

// maxReaders is how many documents are read at once by all finders: a large one takes many times its size meanwhile.
const maxReaders = 2

// reader makes functions of a document that was found at a path. It waits for its turn.
type reader func(ctx context.Context, body []byte, at string) ([]*gateway.Function, error)

// Kind is the kind "openapi".
func Kind(opts Options) discovery.FinderKind {
	slots := make(chan struct{}, maxReaders)
	return discovery.FinderKind{
		Name: "openapi",
		Open: func(f gateway.Finder, near discovery.Surroundings) (discovery.Finder, error) {
			return open(opts, slots, f, near)
		},
	}
}

func open(opts Options, slots chan struct{}, f gateway.Finder, near discovery.Surroundings) (discovery.Finder, error) {
	block := f.OpenAPI
	switch {
	case block == nil:
		return nil, errors.New("an openapi finder needs an openapi block")
	case block.File != "" && block.Path != "":
		return nil, errors.New("an openapi block has a path or a file, not both")
	case block.Path != "" && !strings.HasPrefix(block.Path, "/"):
		return nil, fmt.Errorf("the path %q of a document does not begin with a slash", block.Path)
	case block.File != "" && opts.Folder == "":
		return nil, fmt.Errorf("the file %q is relative to a folder of documents, and there is none", block.File)
	case block.File == "" && near.Endpoints == nil:
		return nil, errors.New("an openapi finder needs to know the upstream's endpoints")
	}
	if opts.Deadline <= 0 {
		opts.Deadline = 10 * time.Second
	}
	read := func(ctx context.Context, body []byte, at string) ([]*gateway.Function, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		listing, err := List(body, at)
		if err == nil && opts.Problems != nil {
			opts.Problems(f.Key, listing.Problems)
		}
		return listing.Functions, err
	}
	poll := &discovery.FinderPoll{Interval: block.Interval, Jitter: opts.Jitter, Deadline: opts.Deadline}
	if block.File != "" {
		poll.List = (&file{folder: opts.Folder, name: block.File, reader: read}).list
		return poll, nil
	}
	s := &service{block: *block, near: near, deadline: opts.Deadline, path: block.Path, reader: read}
	poll.Await, poll.List = s.await, s.list
	poll.Deadline = 4 * opts.Deadline // of a search: the usual paths, at two endpoints
	return poll, nil
}

// service is the document that the endpoints of an upstream serve. One endpoint is asked at a time, and the same one
// for as long as it is there and answers: while a deployment goes on, its endpoints serve different documents, and
// functions that come and go would be worse than a list that changes late.
type service struct {
	block    gateway.OpenAPI
	near     discovery.Surroundings
	deadline time.Duration
	reader   reader

	endpoints []gateway.Endpoint // as await saw them
	pinned    string             // ID of the endpoint that is asked
	path      string             // where the document is; "": not found yet

	seen document // the last one; zero: none that the remote could be asked to compare with
}

// document is what is remembered of one.
type document struct {
	endpoint, path string
	etag, modified string
	digest         [sha256.Size]byte
}

func (s *service) await(ctx context.Context) bool {
	s.endpoints = s.near.Await(ctx)
	return s.endpoints != nil
}

// list implements discovery.FunctionList. An endpoint that does not answer costs one more question, to the next one.
func (s *service) list(ctx context.Context, first bool) (functions []*gateway.Function, changed bool, err error) {
	if first {
		s.seen = document{}
	}
	for range min(2, len(s.endpoints)) {
		i := max(0, slices.IndexFunc(s.endpoints, func(e gateway.Endpoint) bool { return e.ID == s.pinned }))
		s.pinned = s.endpoints[i].ID
		functions, changed, err = s.question(ctx, s.endpoints[i])
		if err == nil {
			return functions, changed, nil
		}
		s.seen = document{}
		s.pinned = s.endpoints[(i+1)%len(s.endpoints)].ID
		if ctx.Err() != nil || !errors.As(err, new(*silence)) {
			break
		}
	}
	return nil, false, err
}

// question asks one endpoint for the document, and looks for it if it is not known where it is.
func (s *service) question(ctx context.Context, e gateway.Endpoint) ([]*gateway.Function, bool, error) {
	client := newClient(e, s.block.Headers, s.deadline)
	if s.path == "" {
		path, got, functions, err := search(ctx, client, s.reader)
		if err != nil {
			return nil, false, err
		}
		s.path = path
		s.remember(e, got, sha256.Sum256(got.body))
		return functions, true, nil
	}
	known := document{}
	if s.seen.endpoint == e.ID && s.seen.path == s.path {
		known = s.seen
	}
	got, err := client.ask(ctx, s.path, known)
	if err != nil {
		if status := (*refusal)(nil); errors.As(err, &status) && s.block.Path == "" {
			s.path = "" // it may have moved: it is looked for when it is asked for again
		}
		return nil, false, err
	}
	if got.unchanged {
		return nil, false, nil
	}
	digest := sha256.Sum256(got.body)
	if s.seen.digest == digest && s.seen.path == s.path {
		s.remember(e, got, digest)
		return nil, false, nil
	}
	functions, err := s.reader(ctx, got.body, got.path)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", client.url(s.path), err)
	}
	s.remember(e, got, digest)
	return functions, true, nil
}

func (s *service) remember(e gateway.Endpoint, got found, digest [sha256.Size]byte) {
	s.seen = document{endpoint: e.ID, path: s.path, etag: got.etag, modified: got.modified, digest: digest}
}
