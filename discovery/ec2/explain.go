package ec2

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
)

// refusal is what AWS, or the way to it, made of a call.
type refusal struct {
	action string // ec2:DescribeInstances
	code   string // AWS's; empty: there was no answer, or none that can be read
	means  string // what it means for whoever runs this
	text   string // what was answered
	err    error
}

// Error says what was tried, what it means, and what was answered, on one line.
func (r *refusal) Error() string {
	s := r.action + ": "
	if r.means != "" {
		s += r.means + ": "
	}
	if r.code != "" {
		s += r.code + ": "
	}
	return s + r.text
}

// Unwrap is the SDK's error.
func (r *refusal) Unwrap() error { return r.err }

// explain says what an error of the SDK means, without the numbers that differ each time.
func explain(action string, err error) error {
	r := &refusal{action: action, err: err}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		r.code, r.text = api.ErrorCode(), brief(api.ErrorMessage())
		r.means = meaning(r.code, action)
		return r
	}
	r.text = brief(root(err).Error())
	return r
}

func meaning(code, action string) string {
	switch {
	case denied(code):
		return "the credentials may not do this: allow " + action + " in their policy"
	case throttled(code):
		return "AWS throttles the account, which makes too many calls"
	}
	switch code {
	case "AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException", "IncompleteSignature":
		return "AWS does not accept the credentials, which are wrong, were deleted, or are not for this region"
	case "ExpiredToken", "ExpiredTokenException":
		return "the credentials have expired"
	case "RequestExpired", "RequestTimeTooSkewed":
		return "the credentials have expired, or the clock of this machine is wrong"
	case "OptInRequired", "PendingVerification", "Blocked":
		return "the account may not use this region"
	}
	return ""
}

func denied(code string) bool {
	return code == "UnauthorizedOperation" || code == "AccessDenied" || code == "AccessDeniedException"
}

func throttled(code string) bool {
	return code == "RequestLimitExceeded" || code == "Throttling" || code == "ThrottlingException" || code == "RequestThrottled" || code == "TooManyRequestsException"
}

// codeOf is AWS's code of an error that was explained.
func codeOf(err error) string {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r.code
	}
	return ""
}

// root is what is at the bottom of an error without an answer: the rest counts attempts and requests.
func root(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		if u.Timeout() {
			return errors.New("no answer in time")
		}
		return u.Err
	}
	if d := (*smithy.DeserializationError)(nil); errors.As(err, &d) {
		return d.Err
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// brief leaves out what AWS adds for its own tools: the canonical text of a request, which has tokens in it, and the
// encoded reason of a refusal.
func brief(s string) string {
	for _, end := range []string{"\n", " Encoded authorization failure message", " The Canonical String"} {
		s, _, _ = strings.Cut(s, end)
	}
	if runes := []rune(s); len(runes) > 300 {
		s = string(runes[:300]) + "…"
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "")
}
