package ec2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// mostSkew is how wrong a clock may be before the doctor says so. AWS refuses what is signed with more than 5 minutes.
const mostSkew = time.Minute

// diagnose asks, for each account and region, who the credentials are and for what its blocks need of it; then what each
// block selects. Questions that others make senseless are left out.
func diagnose(ctx context.Context, opts Options, specs []gateway.SourceSpec) (out []discovery.Finding) {
	wanted := opts.regions()
	if len(specs) > 0 {
		wanted = nil
	}
	for _, spec := range specs {
		if s, ok := spec.(*Spec); ok {
			wanted = append(wanted, s)
		}
	}
	blocks := map[whom][]*Spec{}
	var order []whom
	for _, s := range wanted {
		who := whom{s.Region, s.Endpoint, s.Connection, s.Credentials.Name}
		if blocks[who] == nil {
			order = append(order, who)
		}
		blocks[who] = append(blocks[who], s)
	}
	for _, who := range order {
		d := &doctor{opts: opts, blocks: blocks[who], selecting: len(specs) > 0}
		d.System = systemOf(d.blocks[0])
		d.account(ctx)
		out = append(out, d.Findings...)
	}
	return out
}

// doctor gathers findings about one account and region.
type doctor struct {
	discovery.Examination
	opts      Options
	blocks    []*Spec // at least one
	selecting bool    // the blocks are those of documents
}

func (d *doctor) account(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	s := d.blocks[0]
	if s.Region == "" {
		d.Note("a region", errors.New("no region is configured"), "region in the aws block, or AWS_REGION; without, discover lists nothing")
		return
	}
	cfg, connection, err := d.opts.config(s)
	if err != nil {
		d.Note("credentials", err, "an aws block of that name in the agent's configuration, or credentials in the ec2 block")
		return
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		d.Note("credentials", errors.New(brief(err.Error())), "credentials in the environment, the shared files, the role of this machine, or in the secret that the block names")
		return
	}
	c := newClient(cfg, s, d.opts)
	if d.identity(ctx, cfg, d.opts.STS[connection]) && d.permission(ctx, c) {
		d.listing(ctx, c)
	}
}

// identity asks who the credentials are, which takes no permission.
func (d *doctor) identity(ctx context.Context, cfg aws.Config, endpoint string) bool {
	s := d.blocks[0]
	if s.Endpoint != "" && endpoint == "" {
		return true
	}
	cfg.Region = s.Region
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	cfg.HTTPClient = newHTTP(d.opts)
	who, err := sts.NewFromConfig(cfg, func(o *sts.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
	}).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		err = explain("sts:GetCallerIdentity", err)
		d.Note("who the credentials are", err, "credentials that exist, and are not expired or disabled; a clock that is right")
		return false
	}
	return d.Note("the credentials are "+aws.ToString(who.Arn), nil, "")
}

// permission asks for the right to list, and whether the clock is right. It asks once: whoever waits for an answer wants
// the first one.
func (d *doctor) permission(ctx context.Context, c *client) bool {
	const action = "ec2:DescribeInstances"
	answer, err := c.api.DescribeInstances(ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)}, func(o *ec2.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		err = explain(action, err)
		d.Note(action, err, cure(action, codeOf(err)))
		return false
	}
	d.Note(action, nil, "")
	if skew, ok := awsmiddleware.GetAttemptSkew(answer.ResultMetadata); ok && skew.Abs() > mostSkew {
		d.Note("clock", fmt.Errorf("AWS's clock and that of this machine are %s apart", skew.Abs().Round(time.Second)), "a clock that is kept right, by NTP say")
	}
	return true
}

// cure is what makes a refused question an answered one.
func cure(action, code string) string {
	switch {
	case denied(code):
		return policyLine(action)
	case throttled(code):
		return "fewer calls by all who use the account, a longer interval, or a higher limit"
	case code == "RequestExpired" || code == "RequestTimeTooSkewed":
		return "a clock that is right, or new credentials"
	case code != "":
		return "credentials that exist, and may use this region"
	}
	return "a way to the endpoint of EC2 in this region"
}

// listing lists as the source does, and says what each block makes of it.
func (d *doctor) listing(ctx context.Context, c *client) {
	q := question{}
	var wanted []selection
	interval := time.Hour
	for _, s := range d.blocks {
		wanted = append(wanted, s.selection())
		q.status = q.status || s.StatusChecks || !d.selecting
		if s.Interval > 0 {
			interval = min(interval, s.Interval)
		}
	}
	q.narrow = narrow(wanted)
	l, err := c.list(ctx, q)
	if err != nil {
		d.Note("list all instances", err, cure("ec2:DescribeInstances", codeOf(err)))
		return
	}
	pages := len(l.instances)/pageSize + 1
	check := fmt.Sprintf("list all instances: %d of them, %d pages", len(l.instances), pages)
	if d.selecting {
		if q.status {
			pages += len(statusFilters)
		}
		check += fmt.Sprintf(", %.3g calls a minute", float64(pages)*float64(time.Minute)/float64(interval))
	}
	d.Note(check, nil, "")
	if q.status {
		d.Note("ec2:DescribeInstanceStatus", l.statusErr, cure("ec2:DescribeInstanceStatus", codeOf(l.statusErr)))
	}
	if d.selecting {
		for _, s := range d.blocks {
			d.block(s, l)
		}
	}
}

// block says what a block selects, and what of it cannot be an endpoint.
func (d *doctor) block(s *Spec, l *listing) {
	wants, fit := s.selection(), 0
	var unfit []error
	for _, i := range l.instances {
		if i.state != "running" || !wants.matches(i) {
			continue
		}
		if _, err := i.endpoint(s); err != nil {
			unfit = append(unfit, err)
			continue
		}
		fit++
	}
	var err error
	if len(unfit) > 0 {
		shown := unfit[:min(len(unfit), 3)]
		err = errors.Join(slices.Clone(shown)...)
		err = errors.New(strings.ReplaceAll(err.Error(), "\n", ", "))
		if more := len(unfit) - len(shown); more > 0 {
			err = fmt.Errorf("%w, and %d more", err, more)
		}
	}
	d.Note(fmt.Sprintf("%d endpoints of %s", fit, s.SourceKey().Query), err, "that address and tag on each instance, or tags and filters that leave it out")
}

// policyLine is the statement that an IAM policy lacks.
func policyLine(action string) string {
	return fmt.Sprintf(`{"Effect": "Allow", "Action": %q, "Resource": "*"}`, action)
}

func systemOf(s *Spec) string {
	at := "ec2 " + s.Region
	if by := strings.TrimSpace(s.Connection + s.Credentials.Name); by != "" {
		at += " by " + by
	}
	return strings.TrimSpace(at)
}
