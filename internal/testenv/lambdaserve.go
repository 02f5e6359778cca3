package testenv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// lambdaCall is a request of Lambda's API, read.
type lambdaCall struct{ operation, function, qualifier string }

// parseLambdaCall reads which operation a request means; one without operation is none of the simulator's.
func parseLambdaCall(r *http.Request) lambdaCall {
	var parts []string
	for p := range strings.SplitSeq(strings.Trim(r.URL.EscapedPath(), "/"), "/") {
		p, err := url.PathUnescape(p)
		if err != nil {
			return lambdaCall{}
		}
		parts = append(parts, p)
	}
	c := lambdaCall{qualifier: r.URL.Query().Get("Qualifier")}
	if len(parts) > 2 {
		c.function = parts[2]
		if name, qualifier := splitFunction(parts[2]); qualifier != "" {
			c.function, c.qualifier = name, qualifier
		} else {
			c.function = name
		}
	}
	operations := map[string]string{
		"POST 4 invocations": "Invoke", "POST 4 invoke-async": "InvokeAsync",
		"GET 4 aliases": "ListAliases", "GET 4 versions": "ListVersionsByFunction", "GET 4 configuration": "GetFunctionConfiguration",
		"GET 4 urls": "ListFunctionUrlConfigs",
	}
	switch {
	case len(parts) == 3 && parts[1] == "tags" && r.Method == http.MethodGet:
		c.operation = "ListTags"
	case len(parts) < 2 || parts[1] != "functions":
	case len(parts) == 2 && r.Method == http.MethodGet:
		c.operation = "ListFunctions"
	case len(parts) == 3 && r.Method == http.MethodGet:
		c.operation = "GetFunction"
	case len(parts) == 4:
		c.operation = operations[r.Method+" 4 "+parts[3]]
	}
	return c
}

// splitFunction reads a function's name, partial ARN or ARN, each with a qualifier or without.
func splitFunction(s string) (name, qualifier string) {
	if _, after, ok := strings.Cut(s, "function:"); ok {
		s = after
	}
	name, qualifier, _ = strings.Cut(s, ":")
	return name, qualifier
}

func (s *LambdaSimulator) serve(w http.ResponseWriter, r *http.Request) {
	c := parseLambdaCall(r)
	w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
	if f, released := s.fault(c); f != nil {
		s.fail(w, r, f, released)
		return
	}
	if r.Header.Get("Authorization") == "" {
		refuse(w, http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
		return
	}
	f, ok := s.find(c.function)
	if !ok && c.operation != "ListFunctions" && c.operation != "" {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+s.arn(c.function))
		return
	}
	switch c.operation {
	case "Invoke":
		s.invoke(w, r, f, c)
	case "ListFunctions":
		s.listFunctions(w, r)
	case "ListAliases":
		s.listAliases(w, r, f)
	case "ListVersionsByFunction":
		s.listVersions(w, r, f)
	case "ListFunctionUrlConfigs":
		s.listURLs(w, r, f)
	case "ListTags":
		reply(w, map[string]any{"Tags": orEmpty(f.Tags)})
	case "GetFunction":
		reply(w, map[string]any{"Configuration": s.configuration(f, latest), "Tags": orEmpty(f.Tags)})
	case "GetFunctionConfiguration":
		reply(w, s.configuration(f, latest))
	default:
		refuse(w, http.StatusNotFound, "UnknownOperationException", r.Method+" "+r.URL.Path)
	}
}

// fail does to a request what a fault says.
func (s *LambdaSimulator) fail(w http.ResponseWriter, r *http.Request, f *LambdaFault, released <-chan struct{}) {
	if f.Hang {
		select {
		case <-released:
		case <-r.Context().Done():
		}
	}
	if f.FunctionError != "" {
		w.Header().Set("X-Amz-Function-Error", f.FunctionError)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch {
	case f.Cut:
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"Functions":[`))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // the one way to cut a connection; the server knows it
	case f.Body != "":
		w.WriteHeader(max(f.Status, http.StatusOK))
		_, _ = w.Write([]byte(f.Body))
	case f.Status == 0:
		refuse(w, http.StatusServiceUnavailable, "ServiceException", "made to fail by the test")
	default:
		refuse(w, f.Status, f.Code, "made to fail by the test")
	}
}

// refuse answers with an error as Lambda writes it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	kind := "User"
	if status >= http.StatusInternalServerError {
		kind = "Service"
	}
	if code != "" {
		w.Header().Set("X-Amzn-Errortype", code)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Type": kind, "Message": message})
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func orEmpty(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

// page cuts what a request asks for out of a list; next is the marker of the page after, empty for none.
func (s *LambdaSimulator) page(r *http.Request, n int) (from, to int, next string, err error) {
	q, size := r.URL.Query(), s.options.PageSize
	if m := q.Get("Marker"); m != "" {
		if from, err = strconv.Atoi(m); err != nil || from < 0 || from > n {
			return 0, 0, "", fmt.Errorf("marker %q is none", m)
		}
	}
	if m := q.Get("MaxItems"); m != "" {
		asked, err := strconv.Atoi(m)
		if err != nil || asked < 1 {
			return 0, 0, "", fmt.Errorf("maximum %q is none", m)
		}
		size = min(size, asked)
	}
	to = min(from+size, n)
	if to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}
