package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// hiddenFromEvents says that a header is no part of an event: it concerns the edge, or the event has it elsewhere.
func hiddenFromEvents(name string) bool {
	return strings.HasPrefix(name, "x-envoy-") || strings.HasPrefix(name, "x-amz-") || slices.Contains([]string{
		"content-length", "transfer-encoding", "connection", "expect", "host",
	}, name)
}

// eventHeaders are the headers of an event by lower-case name; the host among them.
func (s *sending) eventHeaders() map[string][]string {
	out := map[string][]string{"host": {s.in.Host}}
	for name, values := range s.out.Headers {
		if lower := strings.ToLower(name); !hiddenFromEvents(lower) {
			for _, v := range values {
				if !utf8.ValidString(v) {
					v = validText(v)
				}
				out[lower] = append(out[lower], v)
			}
		}
	}
	return out
}

// validText has U+FFFD for every byte beyond ASCII of what is no text.
func validText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < utf8.RuneSelf {
			b.WriteByte(s[i])
		} else {
			b.WriteRune(utf8.RuneError)
		}
	}
	return b.String()
}

// eventParameters are the parameters of a query; read decodes names and values.
func eventParameters(query string, read func(string) string) map[string][]string {
	out := map[string][]string{}
	for part := range strings.SplitSeq(query, "&") {
		if part != "" {
			name, v, _ := strings.Cut(part, "=")
			out[read(name)] = append(out[read(name)], read(v))
		}
	}
	return out
}

func joinedValues(lists map[string][]string) map[string]string {
	out := map[string]string{}
	for name, values := range lists {
		out[name] = strings.Join(values, ",")
	}
	return out
}

// isTextual says that a body stands in an event as it is.
func isTextual(contentType string, raw []byte) bool {
	media := mediaType(contentType)
	for _, prefix := range []string{"image/", "audio/", "video/"} {
		if strings.HasPrefix(media, prefix) {
			return false
		}
	}
	binary := []string{"application/octet-stream", "application/zip", "application/gzip", "application/pdf"}
	return !slices.Contains(binary, media) && utf8.Valid(raw)
}

func (s *sending) eventBody(event map[string]any) {
	event["isBase64Encoded"] = false
	if len(s.out.Body) == 0 {
		return
	}
	contentType, _ := headerIn(s.out.Headers, "content-type").(string)
	coding, _ := headerIn(s.out.Headers, "content-encoding").(string)
	if isTextual(contentType, s.out.Body) && (coding == "" || strings.EqualFold(coding, "identity")) {
		event["body"] = string(s.out.Body)
		return
	}
	event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(s.out.Body), true
}

// gatewayEvent is the request as API Gateway's HTTP APIs write it, in version 2.0.
func (s *sending) gatewayEvent() map[string]any {
	heads := s.eventHeaders()
	route := s.run.Lambda.RouteKey
	event := map[string]any{
		"version": "2.0", "routeKey": route, "rawPath": s.path, "rawQueryString": s.query,
		"requestContext": map[string]any{
			"http": map[string]any{
				"method": s.out.Method, "path": s.path, "protocol": "HTTP/1.1", "sourceIp": s.in.ClientIP,
				"userAgent": strings.Join(heads["user-agent"], ","),
			},
			"domainName": s.in.Host, "requestId": s.in.ID, "routeKey": route, "stage": "$default", "timeEpoch": s.in.Time,
		},
	}
	var cookies []string
	for _, line := range heads["cookie"] {
		for one := range strings.SplitSeq(line, ";") {
			if one != "" {
				cookies = append(cookies, strings.TrimSpace(one))
			}
		}
	}
	if delete(heads, "cookie"); cookies != nil {
		event["cookies"] = cookies
	}
	event["headers"] = joinedValues(heads)
	decoded := eventParameters(s.query, func(t string) string {
		text, _ := formField(t)
		return text
	})
	if len(decoded) > 0 {
		event["queryStringParameters"] = joinedValues(decoded)
	}
	if len(s.ctx.Path) > 0 {
		event["pathParameters"] = s.ctx.Path
	}
	if claims, ok := s.in.Auth["claims"].(map[string]any); ok {
		event["requestContext"].(map[string]any)["authorizer"] = map[string]any{"jwt": map[string]any{"claims": claims}}
	}
	s.eventBody(event)
	return event
}

// albEvent is the request as an Application Load Balancer writes it, with several values.
func (s *sending) albEvent() map[string]any {
	event := map[string]any{
		"requestContext": map[string]any{"elb": map[string]any{"targetGroupArn": ""}},
		"httpMethod":     s.out.Method, "path": s.path, "body": "", "multiValueHeaders": s.eventHeaders(),
		"multiValueQueryStringParameters": eventParameters(s.query, func(t string) string { return t }),
	}
	s.eventBody(event)
	return event
}

// invoke makes the request the invocation of the function.
func (s *sending) invoke() (err error) {
	l := s.run.Lambda
	event, contentType := s.out.Body, MediaJSON
	switch l.Event {
	case "payload":
		v, err := l.Payload.Eval(s.ctx)
		if err != nil {
			return err
		}
		if event, err = json.Marshal(v); err != nil {
			return err
		}
	case "raw":
		contentType, _ = headerIn(s.out.Headers, "content-type").(string)
	case "alb":
		event, err = json.Marshal(s.albEvent())
	default:
		event, err = json.Marshal(s.gatewayEvent())
	}
	if err != nil {
		return err
	}
	for name := range s.out.Headers {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") || lower == "authorization" || lower == "cookie" {
			delete(s.out.Headers, name)
		}
	}
	if l.Async {
		s.out.Headers["x-amz-invocation-type"] = []string{"Event"}
	}
	s.out.Method, s.out.Target, s.out.Body = http.MethodPost, l.Path, event
	(&newBody{contentType: contentType}).write(s.out.Headers, droppedOfRequest)
	return nil
}

// answerError is an answer of a function that is none.
func answerError() error { return &Refusal{Status: http.StatusBadGateway, Reason: "function_answer"} }

// unwrap reads what Lambda says of the call, and makes the response of the function's answer.
func (r *receiving) unwrap() error {
	status, failed := r.out.Status, headerIn(r.out.Headers, "x-amz-function-error") != nil
	for name := range r.out.Headers {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") || strings.HasPrefix(lower, "x-amzn-") {
			delete(r.out.Headers, name)
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return &Refusal{Status: status, Reason: "function_throttled"}
	case status == http.StatusRequestEntityTooLarge:
		return &Refusal{Status: status, Reason: "request_too_large"}
	case status < 200 || status > 299:
		return &Refusal{Status: http.StatusBadGateway, Reason: "function_refused"}
	case len(r.raw) > r.run.Limit:
		return &Refusal{Status: http.StatusBadGateway, Reason: "response_too_large"}
	case failed && (bytes.Contains(r.raw, []byte("Task timed out")) || bytes.Contains(r.raw, []byte("Sandbox.Timedout"))):
		return &Refusal{Status: http.StatusGatewayTimeout, Reason: "function_timeout"}
	case failed:
		return &Refusal{Status: http.StatusBadGateway, Reason: "function_error"}
	case r.run.Lambda.Async || r.run.Lambda.Answer == "raw":
		return nil
	}
	return r.proxied(r.run.Lambda.Answer == "apigw_v2")
}

// proxied makes the response that an answer of the known shapes stands for.
func (r *receiving) proxied(v2 bool) error {
	v, err := decodeJSON(r.raw)
	if err != nil {
		return answerError()
	}
	r.changed, r.replaced, r.typed = true, true, true
	answer, _ := v.(map[string]any)
	if answer["statusCode"] == nil {
		if !v2 {
			return answerError()
		}
		r.out.Status, r.contentType = http.StatusOK, MediaJSON
		return nil
	}
	status, ok := evalNumber(answer["statusCode"])
	if !ok || status != math.Trunc(status) || status < 200 || status > 599 {
		return answerError()
	}
	r.out.Status, r.contentType = int(status), "application/octet-stream"
	if v2 {
		r.contentType = MediaJSON
	}
	for _, name := range []string{"headers", "multiValueHeaders"} {
		if err := r.answerHeaders(answer[name]); err != nil {
			return err
		}
	}
	cookies, _ := answer["cookies"].([]any)
	for _, c := range cookies {
		if text, ok := c.(string); ok {
			r.heads = append(r.heads, headerSet{"set-cookie", []string{withoutControls(text)}, true})
		}
	}
	return r.answerBody(answer)
}

func (r *receiving) answerBody(answer map[string]any) (err error) {
	switch body := answer["body"].(type) {
	case nil:
		r.raw = nil
	case string:
		r.raw = []byte(body)
	default:
		if r.raw, err = json.Marshal(body); err != nil {
			return answerError()
		}
	}
	if encoded, _ := answer["isBase64Encoded"].(bool); encoded {
		if r.raw, err = base64.StdEncoding.DecodeString(string(r.raw)); err != nil {
			return answerError()
		}
	}
	if r.bodiless(r.out.Status) {
		r.raw = nil
	}
	return nil
}

// edgeHeaders are those of a function's answer that only the edge may write.
var edgeHeaders = []string{
	"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te", "proxy-connection",
}

func (r *receiving) answerHeaders(v any) error {
	list, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(list)) {
		lower := strings.ToLower(name)
		if list[name] == nil || !IsHeaderName(lower) || slices.Contains(edgeHeaders, lower) || strings.HasPrefix(lower, "x-amz-") {
			continue
		}
		values, err := severalTexts(list[name])
		if err != nil {
			return answerError()
		}
		for i := range values {
			values[i] = withoutControls(values[i])
		}
		if len(values) == 0 {
			continue
		}
		if lower == "content-type" {
			r.contentType = values[0]
		}
		r.heads = append(r.heads, headerSet{name: lower, values: values})
	}
	return nil
}
