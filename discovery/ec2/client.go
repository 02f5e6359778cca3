package ec2

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sluice-gateway/sluice/gateway"
)

// question is what an account is asked for: what all of its blocks want together.
type question struct {
	narrow selection
	status bool // also which instances are impaired
}

// listing is a whole answer. It is immutable.
type listing struct {
	question
	instances []*instance // sorted by id
	impaired  map[string]bool
	statusErr error // why impaired is not known
}

const (
	attempts      = 3       // of one request
	mostInstances = 100_000 // of an answer; more are an error, not half an answer
	pageSize      = 1000
)

// client asks one region with one set of credentials. The methods of ec2.Client are called on the type itself: as an
// interface, all of its seven hundred would be linked.
type client struct {
	api   *ec2.Client
	known atomic.Pointer[known] // of the last answer
}

// newClient makes a client that tries a throttled or failed request again, and slows down while AWS throttles it.
func newClient(cfg aws.Config, s *Spec, opts Options) *client {
	cfg.Region = s.Region
	cfg.HTTPClient = newHTTP(opts)
	retryer := retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, opts.pause })
	})
	cfg.Retryer = func() aws.Retryer { return retryer }
	cfg.AppID = appID
	return &client{api: ec2.NewFromConfig(cfg, func(o *ec2.Options) {
		if s.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.Endpoint)
		}
	})}
}

const appID = "sluice"

func newHTTP(opts Options) *http.Client {
	return &http.Client{
		Timeout:       opts.Timeout,
		Transport:     opts.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// list asks for everything. If one page fails, all does.
func (c *client) list(ctx context.Context, q question) (*listing, error) {
	before := known{}
	if k := c.known.Load(); k != nil {
		before = *k
	}
	seen := make(known, len(before))
	in := &ec2.DescribeInstancesInput{Filters: q.narrow.filters(), MaxResults: aws.Int32(pageSize)}
	out := &listing{question: q}
	for {
		p := &page{known: before}
		answer, err := c.api.DescribeInstances(ctx, in, func(o *ec2.Options) { o.APIOptions = append(slices.Clip(o.APIOptions), p.attach) })
		if err != nil {
			return nil, explain("ec2:DescribeInstances", err)
		}
		maps.Copy(seen, p.seen)
		out.instances = append(out.instances, p.instances...)
		if err := more(len(out.instances), in.NextToken, answer.NextToken); err != nil {
			return nil, err
		}
		if aws.ToString(answer.NextToken) == "" {
			break
		}
		in.NextToken = answer.NextToken
	}
	slices.SortFunc(out.instances, func(a, b *instance) int { return cmp.Compare(a.id, b.id) })
	out.instances = slices.CompactFunc(out.instances, func(a, b *instance) bool { return a.id == b.id })
	if len(out.instances) > 0 && out.instances[0].id == "" {
		return nil, errors.New("ec2:DescribeInstances: an instance has no id")
	}
	c.known.Store(&seen)
	if q.status {
		out.impaired, out.statusErr = c.impaired(ctx)
	}
	return out, nil
}

// more bounds what a broken answer can make of a loop over its pages.
func more(so int, asked, next *string) error {
	switch token := aws.ToString(next); {
	case so > mostInstances:
		return fmt.Errorf("the region has more than %d instances: tags or filters that all ec2 blocks of it share would narrow the answer", mostInstances)
	case token != "" && token == aws.ToString(asked):
		return errors.New("a page of instances names itself as the next one")
	}
	return nil
}

// filters are a selection in AWS's words.
func (s selection) filters() (out []types.Filter) {
	for _, c := range s {
		out = append(out, types.Filter{Name: aws.String(c.name), Values: c.values})
	}
	return out
}

// statusFilters each select the instances of one status check that is impaired. Filters of different names narrow each
// other, so that each is a question of its own; the answers are short however many instances there are.
var statusFilters = []string{"attached-ebs-status.status", "instance-status.status", "system-status.status"}

func (c *client) impaired(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	for _, name := range statusFilters {
		in := &ec2.DescribeInstanceStatusInput{
			Filters: []types.Filter{{Name: aws.String(name), Values: []string{string(types.SummaryStatusImpaired)}}}, MaxResults: aws.Int32(pageSize),
		}
		for rows := 0; ; {
			answer, err := c.api.DescribeInstanceStatus(ctx, in, wholeStatus)
			if err != nil {
				return nil, explain("ec2:DescribeInstanceStatus", err)
			}
			for _, s := range answer.InstanceStatuses {
				if isImpaired(&s) {
					out[aws.ToString(s.InstanceId)] = true
				}
			}
			rows += len(answer.InstanceStatuses)
			if err := more(rows, in.NextToken, answer.NextToken); err != nil {
				return nil, err
			}
			if aws.ToString(answer.NextToken) == "" {
				break
			}
			in.NextToken = answer.NextToken
		}
	}
	return out, nil
}

func isImpaired(s *types.InstanceStatus) bool {
	return s.InstanceStatus != nil && s.InstanceStatus.Status == types.SummaryStatusImpaired ||
		s.SystemStatus != nil && s.SystemStatus.Status == types.SummaryStatusImpaired ||
		s.AttachedEbsStatus != nil && s.AttachedEbsStatus.Status == types.SummaryStatusImpaired
}

// wholeStatus makes an error of an answer without a list: the SDK takes an empty one for an empty list.
func wholeStatus(o *ec2.Options) {
	o.APIOptions = append(slices.Clip(o.APIOptions), func(stack *middleware.Stack) error {
		return stack.Deserialize.Insert(middleware.DeserializeMiddlewareFunc("sluice.whole", func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			response, ok := out.RawResponse.(*smithyhttp.Response)
			if err != nil || !ok || response.StatusCode != http.StatusOK {
				return out, metadata, err
			}
			text, err := io.ReadAll(io.LimitReader(response.Body, mostBytes))
			_ = response.Body.Close() // it was read
			if err == nil && !bytes.Contains(text, []byte("<instanceStatusSet")) {
				err = errors.New("an answer has no list of statuses")
			}
			if err != nil {
				return out, metadata, &smithy.DeserializationError{Err: err}
			}
			response.Body = io.NopCloser(bytes.NewReader(text))
			return out, metadata, nil
		}), deserializer, middleware.After)
	})
}

// material are credentials that a secret has. It is asked at each request, so that a new version counts at once.
type material struct {
	reveal gateway.Reveal
	secret gateway.ID
}

// Retrieve implements aws.CredentialsProvider.
func (m material) Retrieve(context.Context) (aws.Credentials, error) {
	fields, ok := m.reveal(m.secret)
	if !ok {
		return aws.Credentials{}, fmt.Errorf("%s is not known, or has expired", m.secret)
	}
	key, hasKey := fields.Reveal("access_key")
	secret, hasSecret := fields.Reveal("secret_key")
	if !hasKey || !hasSecret {
		return aws.Credentials{}, fmt.Errorf("%s has no fields access_key and secret_key", m.secret)
	}
	token, _ := fields.Reveal("security_token")
	return aws.Credentials{
		AccessKeyID: string(key), SecretAccessKey: string(secret), SessionToken: string(token), Source: m.secret.String(),
	}, nil
}
