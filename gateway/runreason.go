package gateway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Refusal is the end of a request or a response in the template engine: what the client gets instead. It is the error
// of Send and Receive.
type Refusal struct {
	Status int
	Reason string // one of Reasons
	Text   string // what the client reads, where that says more than the reason; it quotes nothing of the request
	Err    error  // the cause, for whoever explains it; it may quote the request. Never sent
}

// Error names the reason and the cause.
func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Reason + ": " + r.Err.Error()
	}
	return r.Reason + ": " + r.Says()
}

// Says is what the client reads.
func (r *Refusal) Says() string { return cmp.Or(r.Text, ReasonText(r.Reason)) }

// Body is what the client gets of the refusal: JSON.
func (r *Refusal) Body() []byte {
	text, _ := json.Marshal(r.Says()) // a text always has a JSON form
	return fmt.Appendf(nil, `{"error":%s,"reason":%q}`, text, r.Reason)
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// reasonTexts is what the client reads. It quotes nothing of any message.
var reasonTexts = map[string]string{
	"bad_request_body":   "the body of the request cannot be read as what its content type says",
	"encoded_request":    "the body of the request is compressed, which this route cannot read",
	"request_too_large":  "the body of the request is too large for this route",
	"missing_path_value": "a value that the path of the call needs is missing",
	"empty_path_segment": "a value that the path of the call needs is empty",
	"invalid_argument":   "an argument of the call is not of its type",
	"path_traversal":     "a value cannot stand in the path of the call",
	"bad_response_body":  "the body of the response cannot be read as what its content type says",
	"encoded_response":   "the body of the response is compressed although that was not asked for",
	"response_too_large": "the body of the response is too large for this route",
	"template_error":     "a template of this route has no result for this message",
	"too_much_work":      "a template of this route takes too many steps for this message",
	"script_error":       "the gateway could not run this route's program",
	"credential_unknown": "the gateway does not know the credential that this route sends",
	"function_error":     "the function failed",
	"function_timeout":   "the function did not answer in time",
	"function_throttled": "the function is called too often",
	"function_refused":   "the function could not be called",
	"function_answer":    "the function gave an answer that is none",
}

// Reasons lists all reasons, sorted.
func Reasons() []string { return slices.Sorted(maps.Keys(reasonTexts)) }

// ReasonText is what the client reads of a reason.
func ReasonText(reason string) string { return reasonTexts[reason] }
