package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Patient is one upstream of Lambdas.
type Patient struct {
	Block  *gateway.Lambda
	Reveal gateway.Reveal // of the credentials
	Called []string       // functions that blocks call, with a qualifier or without
	STS    string         // where sts is asked; empty: in the block's region, or not at all where the block has an endpoint of its own
}

// Doctor asks each permission that an upstream needs, one by one. It calls no function: Lambda is asked whether it would
// let the credentials do it. Questions that others make senseless are left out.
func Doctor(ctx context.Context, opts Options, p Patient) []discovery.Finding {
	d := &doctor{opts: opts, Patient: p}
	listing, err := credentialsOf(opts, p.Block, discovery.Surroundings{Material: p.Reveal})
	if err != nil {
		d.note("credentials to list with", err, "an aws block of that name in the agent's configuration, or credentials in the lambda block")
		return d.Findings
	}
	known := d.identity(ctx, listing)
	if p.Block.URL != "" {
		return d.Findings // whether a Function URL takes a request, only a request can tell
	}
	if known && (p.Block.Discover == nil || *p.Block.Discover) {
		d.lists(ctx, d.client(listing))
	}
	if p.Block.Credentials.IsZero() || p.Reveal == nil {
		return d.Findings
	}
	signing := secretCredentials{p.Reveal, p.Block.Credentials.ID}
	if p.Block.Connection != "" {
		known = d.identity(ctx, signing)
	}
	if known {
		d.calls(ctx, d.client(signing))
	}
	return d.Findings
}

// doctor gathers findings about one patient.
type doctor struct {
	Patient
	discovery.Examination
	opts Options
}

func (d *doctor) note(check string, err error, need string) bool {
	if err != nil {
		err = bare(err)
	}
	return d.Note(check, err, need)
}

const questionTime = 10 * time.Second

func (d *doctor) http() *http.Client {
	c := &http.Client{Timeout: questionTime}
	if d.opts.Transport != nil {
		c.Transport = d.opts.Transport
	}
	return c
}

// client asks once: whoever waits for an answer wants the first one.
func (d *doctor) client(credentials aws.CredentialsProvider) *awslambda.Client {
	o := awslambda.Options{Region: d.Block.Region, Credentials: credentials, HTTPClient: d.http(), Retryer: aws.NopRetryer{}}
	if d.Block.Endpoint != "" {
		o.BaseEndpoint = aws.String(d.Block.Endpoint)
	}
	return awslambda.New(o)
}

// identity asks who the credentials are, which takes no permission.
func (d *doctor) identity(ctx context.Context, credentials aws.CredentialsProvider) bool {
	if _, err := credentials.Retrieve(ctx); err != nil {
		return d.note("credentials are there", err, "a secret that can be read, with the fields access_key and secret_key")
	}
	if d.Block.Endpoint != "" && d.STS == "" {
		return true
	}
	o := sts.Options{Region: d.Block.Region, Credentials: credentials, HTTPClient: d.http(), Retryer: aws.NopRetryer{}}
	if d.STS != "" {
		o.BaseEndpoint = aws.String(d.STS)
	}
	who, err := sts.New(o).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	check := "sts:GetCallerIdentity"
	if err == nil {
		check += ", they are " + aws.ToString(who.Arn)
	}
	return d.note(check, err, "credentials that exist, and are not expired or disabled; a clock that is right")
}

// lists asks what discovery asks: the list, and what is told of one function at a time.
func (d *doctor) lists(ctx context.Context, api *awslambda.Client) {
	page, err := api.ListFunctions(ctx, &awslambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
	if !d.note("lambda:ListFunctions", err, policyLine("lambda:ListFunctions", "*")) || len(page.Functions) == 0 {
		return
	}
	name := page.Functions[0].FunctionName
	arn := aws.ToString(page.Functions[0].FunctionArn)
	_, err = api.ListAliases(ctx, &awslambda.ListAliasesInput{FunctionName: name, MaxItems: aws.Int32(1)})
	d.note("lambda:ListAliases", err, policyLine("lambda:ListAliases", "*"))
	_, err = api.ListFunctionUrlConfigs(ctx, &awslambda.ListFunctionUrlConfigsInput{FunctionName: name, MaxItems: aws.Int32(1)})
	d.note("lambda:ListFunctionUrlConfigs", err, policyLine("lambda:ListFunctionUrlConfigs", "*"))
	_, err = api.ListTags(ctx, &awslambda.ListTagsInput{Resource: aws.String(arn)})
	d.note("lambda:ListTags", err, policyLine("lambda:ListTags", "*"))
}

// calls asks for the invocation of each function that is called.
func (d *doctor) calls(ctx context.Context, api *awslambda.Client) {
	for _, called := range d.Called {
		f := namedFunction(called)
		in := &awslambda.InvokeInput{FunctionName: aws.String(f.name), InvocationType: types.InvocationTypeDryRun}
		if f.qualifier != "" {
			in.Qualifier = aws.String(f.qualifier)
		}
		_, err := api.Invoke(ctx, in)
		need := policyLine("lambda:InvokeFunction", "arn:aws:lambda:"+d.Block.Region+":ACCOUNT:function:"+called)
		switch {
		case gone(err):
			need = "a function, alias or version of that name in " + d.Block.Region
		case err != nil && !denied(err):
			need = "an answer of Lambda"
		}
		d.note("lambda:InvokeFunction "+called, err, need)
	}
}

// bare is an error without what it wraps around the answer of AWS.
func bare(err error) error {
	var deep interface{ ErrorMessage() string }
	if errors.As(err, &deep) && deep.ErrorMessage() != "" {
		return errors.New(deep.ErrorMessage())
	}
	return err
}

// policyLine is the statement that an IAM policy lacks.
func policyLine(action, resource string) string {
	return fmt.Sprintf(`{"Effect": "Allow", "Action": %q, "Resource": %q}`, action, resource)
}

type calledFunction struct{ name, qualifier string }

// namedFunction parts a name from its alias or version.
func namedFunction(s string) (out calledFunction) {
	out.name = s
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ':' {
			return calledFunction{s[:i], s[i+1:]}
		}
	}
	return out
}
