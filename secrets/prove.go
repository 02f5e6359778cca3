package secrets

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// prover uses credentials once. nil: they work. A problem of kind refused: they do not, at least not yet. Any other
// error says nothing of them.
type prover func(ctx context.Context, f fields, region, endpoint string) error

// proveTimeout bounds one proof.
const proveTimeout = 10 * time.Second

// notThese are the answers that mean the credentials themselves. That their owner is not allowed something means that
// they have been recognised.
var (
	notThese = []string{
		"InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException",
		"InvalidAccessKeyId", "IncompleteSignature", "InvalidSignatureException", "MissingAuthenticationToken", "AuthFailure",
	}
	allTheSame = []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
)

// proveBySTS asks sts who the credentials are, which every principal of AWS may.
func proveBySTS(ctx context.Context, f fields, region, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	if region == "" {
		region = "us-east-1"
	}
	o := sts.Options{
		Region:           region,
		Credentials:      credentials.NewStaticCredentialsProvider(string(f["access_key"]), string(f["secret_key"]), string(f["security_token"])),
		HTTPClient:       &http.Client{Transport: limited{transport}},
		RetryMaxAttempts: 1,
	}
	if endpoint != "" {
		o.BaseEndpoint = aws.String(endpoint)
	}
	_, err := sts.New(o).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	return proofError(ctx, err)
}

// proofError keeps of an error its code: messages about signatures repeat what was signed.
func proofError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		switch code := e.ErrorCode(); {
		case slices.Contains(allTheSame, code):
			return nil
		case slices.Contains(notThese, code):
			return refusedf("sts does not accept the credentials (%s)", code)
		case said([]string{code}) != "":
			return &problem{kind: unreachable, text: "sts answered " + said([]string{code})}
		}
		return &problem{kind: unreachable, text: "sts answered with an error that says nothing of the credentials"}
	}
	return &problem{kind: unreachable, text: "ask sts: " + transportText(ctx, err), cause: ctx.Err()}
}
