package main

import (
	"encoding/json"
	"net/http"
	"strings"

	hclv2 "github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/gateway"
)

// request is what the client of a test sends.
func (t *testBlock) request() (req console.ExplainRequest, diags hclv2.Diagnostics) {
	q := t.Request
	req = console.ExplainRequest{
		Method: strings.ToUpper(q.Method), URL: q.URL, ClientIP: q.ClientIP, Gateway: t.Gateway, Listener: t.Listener, Headers: map[string][]string{},
	}
	get := func(e hclv2.Expression) any {
		if !written(e) {
			return nil
		}
		v, more := t.value(e)
		diags = append(diags, more...)
		return v
	}
	headers, isObject := get(q.Headers).(map[string]any)
	if written(q.Headers) && !isObject && !diags.HasErrors() {
		diags = append(diags, testProblem(q.Headers.Range(), "Invalid headers", "Headers are an object: { accept = \"text/html\" }."))
	}
	for name, v := range headers {
		req.Headers[name] = textList(v)
	}
	body, contentType := messageBody(get(q.Body))
	req.Body = string(body)
	if _, typed := headerValues(req.Headers, "content-type"); !typed && contentType != "" {
		req.Headers["content-type"] = []string{contentType}
	}
	claims := get(q.Claims)
	if req.Claims, isObject = claims.(map[string]any); claims != nil && !isObject {
		diags = append(diags, testProblem(q.Claims.Range(), "Invalid claims", "Claims are an object: { sub = \"ann\" }."))
	}
	return req, diags
}

// messageBody is a value as a body: a text as it is, anything else as JSON.
func messageBody(v any) (body []byte, contentType string) {
	switch v := v.(type) {
	case nil:
		return nil, ""
	case string:
		return []byte(v), ""
	}
	body, _ = json.Marshal(v)
	return body, "application/json"
}

// answer is what a destination answers in this test; nil where no block says it.
func (t *testBlock) answer(d *gateway.TableDestination) (*gateway.RawResponse, hclv2.Diagnostics) {
	for _, a := range t.Answers {
		mine := true
		for kind, e := range map[string]hclv2.Expression{gateway.KindFunction: a.Function, gateway.KindUpstream: a.Upstream} {
			if written(e) {
				id, diags := reference(e, kind)
				if diags.HasErrors() {
					return nil, diags
				}
				mine = mine && is(d, id)
			}
		}
		if mine {
			return t.response(a)
		}
	}
	return nil, nil
}

func (t *testBlock) response(a *testAnswer) (*gateway.RawResponse, hclv2.Diagnostics) {
	out := &gateway.RawResponse{Status: http.StatusOK, Headers: http.Header{}}
	if a.Status != nil {
		out.Status = *a.Status
	}
	var diags hclv2.Diagnostics
	if written(a.Headers) {
		v, more := t.value(a.Headers)
		diags = append(diags, more...)
		headers, _ := v.(map[string]any)
		for name, value := range headers {
			out.Headers[strings.ToLower(name)] = textList(value)
		}
	}
	if written(a.Body) {
		v, more := t.value(a.Body)
		diags = append(diags, more...)
		var contentType string
		if out.Body, contentType = messageBody(v); contentType != "" {
			if _, typed := headerValues(out.Headers, "content-type"); !typed {
				out.Headers["content-type"] = []string{contentType}
			}
		}
	}
	return out, diags
}
