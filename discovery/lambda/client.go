package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sluice-gateway/sluice/gateway"
)

// client is what is asked of AWS.
type client interface {
	ListFunctions(context.Context, *awslambda.ListFunctionsInput, ...func(*awslambda.Options)) (*awslambda.ListFunctionsOutput, error)
	ListAliases(context.Context, *awslambda.ListAliasesInput, ...func(*awslambda.Options)) (*awslambda.ListAliasesOutput, error)
	ListTags(context.Context, *awslambda.ListTagsInput, ...func(*awslambda.Options)) (*awslambda.ListTagsOutput, error)
	ListFunctionUrlConfigs(context.Context, *awslambda.ListFunctionUrlConfigsInput, ...func(*awslambda.Options)) (*awslambda.ListFunctionUrlConfigsOutput, error)
}

var _ client = (*awslambda.Client)(nil)

const attempts = 6 // of one request

// newClient makes a client that tries a throttled or failed request again a few times, later and later.
func newClient(block *gateway.Lambda, credentials aws.CredentialsProvider, opts Options) client {
	o := awslambda.Options{
		Region:      block.Region,
		Credentials: credentials,
		HTTPClient: &http.Client{
			Timeout:       opts.Timeout,
			Transport:     opts.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Retryer: patient{retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, opts.backoff }), opts.backoff},
		AppID:   "sluice",
	}
	if block.Endpoint != "" {
		o.BaseEndpoint = aws.String(block.Endpoint)
	}
	return awslambda.New(o)
}

// patient waits for as long as an answer asks for, within bounds.
type patient struct {
	aws.RetryerV2
	longest time.Duration
}

// RetryDelay implements aws.Retryer.
func (p patient) RetryDelay(attempt int, err error) (time.Duration, error) {
	pause, other := p.RetryerV2.RetryDelay(attempt, err)
	var answer *smithyhttp.ResponseError
	if other != nil || !errors.As(err, &answer) || answer.Response == nil {
		return pause, other
	}
	if seconds, err := strconv.Atoi(answer.Response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		pause = max(pause, min(time.Duration(seconds)*time.Second, p.longest))
	}
	return pause, nil
}

// secretCredentials read a secret at each request, so that rotated keys count at once.
type secretCredentials struct {
	reveal gateway.Reveal
	secret gateway.ID
}

// Retrieve implements aws.CredentialsProvider.
func (c secretCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	m, ok := c.reveal(c.secret)
	if !ok {
		return aws.Credentials{}, fmt.Errorf("%s is not known, or has expired", c.secret)
	}
	key, hasKey := m.Reveal("access_key")
	secret, hasSecret := m.Reveal("secret_key")
	if !hasKey || !hasSecret {
		return aws.Credentials{}, fmt.Errorf("%s has no fields access_key and secret_key", c.secret)
	}
	token, _ := m.Reveal("security_token")
	return aws.Credentials{
		AccessKeyID: string(key), SecretAccessKey: string(secret), SessionToken: string(token), Source: c.secret.String(),
	}, nil
}

// explain says what a refusal means for whoever gave the credentials their policy.
func explain(action string, err error) error {
	if denied(err) {
		return fmt.Errorf("the credentials may not do %s: allow it in their policy: %w", action, err)
	}
	return fmt.Errorf("%s: %w", action, err)
}

func denied(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	code := api.ErrorCode()
	return code == "AccessDeniedException" || code == "AccessDenied"
}

// gone says that a function was deleted between two questions.
func gone(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ResourceNotFoundException"
}
