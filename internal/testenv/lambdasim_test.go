package testenv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestLambdaSimulatorCallsFunctions(t *testing.T) {
	s := StartLambdaSimulator(t, LambdaSimulatorOptions{})
	called := make(chan string, 1)
	says := func(text string) LambdaHandler {
		return func(ctx context.Context, event []byte) ([]byte, error) {
			switch string(event) {
			case `"fail"`:
				return nil, errors.New("as asked")
			case `"hang"`:
				<-ctx.Done()
			case `"tell"`:
				called <- LambdaVersion(ctx)
			}
			return []byte(text), nil
		}
	}
	arn := s.Put(SimulatedFunction{
		Name: "f", Handler: says("0"), Timeout: 20 * time.Millisecond,
		Versions: map[string]LambdaHandler{"1": says("1"), "2": nil},
		Aliases:  map[string]LambdaAlias{"live": {Version: "1"}, "canary": {Version: "1", Weights: map[string]float64{"2": 1}}},
	})
	key := &AWSKey{ID: "key", Secret: "secret"}
	client := lambda.NewFromConfig(key.config(s.Endpoint, s.Region))
	for _, c := range []struct{ function, qualifier, event, want string }{
		{"f", "", `{}`, "0"},
		{"f", "1", `{}`, "1"},
		{"f", "2", `{}`, "0"},
		{"f:live", "", `{}`, "1"},
		{arn + ":live", "", `{}`, "1"},
		{"f", "canary", `{}`, "0"},
		{"f", "3", `{}`, "ResourceNotFoundException"},
		{"g", "", `{}`, "404"},
		{"f", "", `{`, "InvalidRequestContent"},
		{"f", "", `"` + strings.Repeat("x", maxEvent) + `"`, "RequestEntityTooLarge"},
		{"f", "", `"fail"`, `Unhandled{"errorMessage":"as asked","errorType":"Error"}`},
		{"f", "", `"hang"`, `Unhandled{"errorMessage":"Task timed out after 0.02 seconds","errorType":"Sandbox.Timedout"}`},
	} {
		got := invoke(t, client, c.function, c.qualifier, c.event)
		if got != c.want && !(len(c.want) > 1 && strings.Contains(got, c.want)) {
			t.Errorf("%s %s %.20s: got %s, want %s", c.function, c.qualifier, c.event, got, c.want)
		}
	}
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("f"), Payload: []byte(`"tell"`), Qualifier: aws.String("1"), InvocationType: types.InvocationTypeEvent,
	})
	if err != nil || out.StatusCode != 202 || <-called != "1" {
		t.Errorf("an asynchronous call: %v, %v", out, err)
	}
	if wrong := VerifySignatures(t, s.Requests(), key); len(s.Requests()) < 10 || len(wrong) > 0 {
		t.Errorf("of %d requests %d are wrong: %s", len(s.Requests()), len(wrong), strings.Join(wrong, "\n"))
	}
}

func TestLambdaSimulatorLists(t *testing.T) {
	s := StartLambdaSimulator(t, LambdaSimulatorOptions{PageSize: 3})
	for i := range 7 {
		s.Put(SimulatedFunction{
			Name: fmt.Sprintf("f%d", i), Tags: map[string]string{"n": fmt.Sprint(i)},
			Versions: map[string]LambdaHandler{"1": nil, "2": nil, "3": nil, "4": nil},
			Aliases:  map[string]LambdaAlias{"a": {Version: "1"}, "b": {Version: "2", Weights: map[string]float64{"3": 0.25}}},
		})
	}
	client := lambda.NewFromConfig((&AWSKey{ID: "key", Secret: "secret"}).config(s.Endpoint, s.Region))
	var names []string
	for p := lambda.NewListFunctionsPaginator(client, nil); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Functions {
			names = append(names, *f.FunctionName)
			tags, err := client.ListTags(t.Context(), &lambda.ListTagsInput{Resource: f.FunctionArn})
			if err != nil || "f"+tags.Tags["n"] != *f.FunctionName {
				t.Errorf("the tags of %s: %v, %v", *f.FunctionName, tags, err)
			}
		}
	}
	if len(names) != 7 {
		t.Errorf("the functions are %q", names)
	}
	versions := 0
	for p := lambda.NewListVersionsByFunctionPaginator(client, &lambda.ListVersionsByFunctionInput{FunctionName: aws.String("f1")}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		versions += len(page.Versions)
	}
	aliases, err := client.ListAliases(t.Context(), &lambda.ListAliasesInput{FunctionName: aws.String("f1")})
	if err != nil || versions != 5 || len(aliases.Aliases) != 2 || aliases.Aliases[1].RoutingConfig.AdditionalVersionWeights["3"] != 0.25 {
		t.Errorf("%d versions, aliases %v, %v", versions, aliases, err)
	}
	s.Fail(LambdaFault{Operation: "ListFunctions", Status: 429, Code: "TooManyRequestsException", RetryAfter: "1", Times: 1})
	if _, err := client.ListFunctions(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "TooManyRequests") {
		t.Errorf("the throttled list: %v", err)
	}
	for _, f := range []LambdaFault{{Cut: true}, {Body: "<html>"}, {Status: 500}, {Status: 403, Code: "AccessDeniedException"}} {
		s.Fail(f)
		if _, err := client.ListFunctions(t.Context(), nil); err == nil {
			t.Errorf("%+v: the list succeeds", f)
		}
		s.Mend()
	}
	s.Fail(LambdaFault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.ListFunctions(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the list that hangs: %v", err)
	}
	s.Remove("f0")
	s.Mend()
	if got := invoke(t, client, "f0", "", `{}`); !strings.Contains(got, "404") {
		t.Errorf("the removed function answers %s", got)
	}
}

func TestVerifySignaturesFindsEveryLie(t *testing.T) {
	s := StartLambdaSimulator(t, LambdaSimulatorOptions{TLS: true})
	if !strings.HasPrefix(s.Endpoint, "https://") || s.CAFile == "" {
		t.Errorf("the endpoint is %s", s.Endpoint)
	}
	plain := StartLambdaSimulator(t, LambdaSimulatorOptions{})
	plain.Put(SimulatedFunction{Name: "f"})
	key := &AWSKey{ID: "key", Secret: "secret", Session: "token/+="}
	client := lambda.NewFromConfig(key.config(plain.Endpoint, plain.Region))
	invoke(t, client, "arn:aws:lambda:us-east-1:000000000000:function:f", "live one/ö", `{"a":"ö"}`)
	good := plain.Requests()[0]
	lie := func(change func(*RecordedRequest)) RecordedRequest {
		r := good
		r.Header = good.Header.Clone()
		change(&r)
		return r
	}
	requests := []RecordedRequest{
		good,
		lie(func(r *RecordedRequest) { r.Body = []byte("{}") }),
		lie(func(r *RecordedRequest) { r.Target += "1" }),
		lie(func(r *RecordedRequest) { r.Host = "example.com" }),
		lie(func(r *RecordedRequest) { r.Header.Set("X-Amz-Invocation-Type", "Event") }),
		lie(func(r *RecordedRequest) { r.Header.Set("X-Amz-Security-Token", "other") }),
		lie(func(r *RecordedRequest) { r.Header.Del("Authorization") }),
		lie(func(r *RecordedRequest) { r.Received = r.Received.Add(time.Hour) }),
		lie(func(r *RecordedRequest) { r.Method = "PUT" }),
	}
	if wrong := VerifySignatures(t, requests, key); len(wrong) != len(requests)-1 || strings.HasPrefix(wrong[0], "request 0") {
		t.Errorf("found are:\n%s", strings.Join(wrong, "\n"))
	}
	other := *key
	other.Secret = "other"
	if wrong := VerifySignatures(t, requests[:1], &other); len(wrong) != 1 {
		t.Errorf("another secret: found are %q", wrong)
	}
}
