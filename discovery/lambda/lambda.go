// Package lambda finds the AWS Lambda functions of one account and region.
//
//   - lambda.go: the kind, and how a finder is made.
//   - list.go: one round: the functions and versions, by pages.
//   - detail.go: what AWS tells of one function at a time only: aliases, tags, Function URLs; remembered for a while.
//   - client.go: the client, its credentials, and what its errors mean.
//
// API: https://docs.aws.amazon.com/lambda/latest/api/
package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/time/rate"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Options are what the agent says of all these finders. The zero value is usable.
type Options struct {
	// Connections are the agent's own credentials by name, for blocks with a connection.
	Connections map[string]aws.CredentialsProvider

	// Transport makes the requests; nil: one of the kind's own, which trusts the system's certificates.
	Transport *http.Transport

	// Timeout bounds one request. 0 means 10 s. One that was not answered, or throttled, is made again, up to five times.
	Timeout time.Duration

	// Rate is how many requests a second may be made with the same credentials in a region. 0 means 5: an account allows
	// 15 for all who ask (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
	Rate float64

	// Fresh is how long what was learnt of a single function is taken for true while the function itself has not
	// changed. 0 means 5 minutes. Of a large account less is asked: 60 functions a round.
	Fresh time.Duration

	backoff time.Duration // the longest pause before a request is made again; 0 means 20 s
}

// roundDeadline bounds one round. Two thousand functions, asked about one by one at the usual rate, take several minutes
// the first time.
const roundDeadline = 30 * time.Minute

// Kind is the kind "lambda".
func Kind(opts Options) discovery.FinderKind {
	if opts.Transport == nil {
		opts.Transport = http.DefaultTransport.(*http.Transport).Clone() // it is one
		opts.Transport.MaxIdleConnsPerHost = askers
	}
	paces := &paces{limiters: map[asker]*rate.Limiter{}}
	return discovery.FinderKind{
		Name: "lambda",
		Open: func(f gateway.Finder, near discovery.Surroundings) (discovery.Finder, error) {
			return open(opts, paces, f, near)
		},
	}
}

func open(opts Options, paces *paces, f gateway.Finder, near discovery.Surroundings) (discovery.Finder, error) {
	block := f.Lambda
	if block == nil {
		return nil, errors.New("a lambda finder needs a lambda block")
	}
	if opts.Rate <= 0 {
		opts.Rate = 5
	}
	if opts.Fresh <= 0 {
		opts.Fresh = 5 * time.Minute
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.backoff <= 0 {
		opts.backoff = 20 * time.Second
	}
	credentials, err := credentialsOf(opts, block, near)
	if err != nil {
		return nil, err
	}
	l := &lister{
		block: block, api: newClient(block, credentials, opts), fresh: opts.Fresh,
		pace: paces.of(block, opts.Rate), details: map[string]detail{},
	}
	p := &discovery.FinderPoll{List: l.list, Interval: block.Interval, Deadline: roundDeadline}
	if block.Connection == "" {
		p.Await = func(ctx context.Context) bool {
			_, known := discovery.AwaitMaterial(ctx, near.Material, block.Credentials.ID)
			return known
		}
	}
	return p, nil
}

// asker is what AWS counts requests by, as far as a block tells.
type asker struct{ region, endpoint, connection, secret string }

// paces has the finders with the same credentials share what these may ask.
type paces struct {
	mu       sync.Mutex
	limiters map[asker]*rate.Limiter
}

func (p *paces) of(block *gateway.Lambda, perSecond float64) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := asker{block.Region, block.Endpoint, block.Connection, block.Credentials.Name}
	if p.limiters[who] == nil {
		p.limiters[who] = rate.NewLimiter(rate.Limit(perSecond), max(int(perSecond), 1))
	}
	return p.limiters[who]
}

// credentialsOf are the agent's, where the block names a connection, else those that sign the calls.
func credentialsOf(opts Options, block *gateway.Lambda, near discovery.Surroundings) (aws.CredentialsProvider, error) {
	if block.Connection != "" {
		c := opts.Connections[block.Connection]
		if c == nil {
			return nil, fmt.Errorf("the agent has no aws connection %q", block.Connection)
		}
		return c, nil
	}
	if near.Material == nil || block.Credentials.IsZero() {
		return nil, errors.New("a lambda finder needs credentials or a connection")
	}
	return secretCredentials{near.Material, block.Credentials.ID}, nil
}
