package response

import (
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// AnswerType is the media type that the block gives to successful answers; empty where it leaves their bodies alone.
func (r *Response) AnswerType() string {
	success := len(r.Statuses) == 0 || slices.ContainsFunc(r.Statuses, func(s string) bool { return s[0] == '2' })
	if r.Body.IsZero() || !success || r.payload(nil).IsEmpty() {
		return ""
	}
	return r.payload(nil).Type()
}

// AnswerBody is the expression of the body of successful answers; zero where the block leaves it alone.
func (r *Response) AnswerBody() gateway.Expr {
	if r.AnswerType() == "" {
		return gateway.Expr{}
	}
	return r.Body
}
