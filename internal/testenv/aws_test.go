package testenv

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func invoke(t *testing.T, c *lambda.Client, function, qualifier, event string) string {
	t.Helper()
	in := &lambda.InvokeInput{FunctionName: aws.String(function), Payload: []byte(event)}
	if qualifier != "" {
		in.Qualifier = aws.String(qualifier)
	}
	out, err := c.Invoke(t.Context(), in)
	if err != nil {
		return err.Error()
	}
	return aws.ToString(out.FunctionError) + string(out.Payload)
}

func TestAWSChecksSignaturesAndPolicies(t *testing.T) {
	a := StartAWS(t)
	a.CreateFunction(LambdaFunction{Name: "echo", Handler: func(_ context.Context, event []byte) ([]byte, error) {
		if strings.Contains(string(event), "fail") {
			return nil, errors.New("as asked")
		}
		return event, nil
	}})
	key := a.CreateUser("caller", Allow("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:"+a.Account+":function:echo"))
	client := lambda.NewFromConfig(a.Config(key))
	if got := invoke(t, client, "echo", "", `{"n":1}`); strings.ReplaceAll(got, " ", "") != `{"n":1}` {
		t.Errorf("the function answers %s", got)
	}
	if got := invoke(t, client, "echo", "", `{"fail":1}`); !strings.HasPrefix(got, "Unhandled") || !strings.Contains(got, "as asked") {
		t.Errorf("the failing function answers %s", got)
	}
	if _, err := client.ListFunctions(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("what the policy does not name: %v", err)
	}
	wrong := *key
	wrong.Secret += "x"
	if got := invoke(t, lambda.NewFromConfig(a.Config(&wrong)), "echo", "", `1`); !strings.Contains(got, "403") {
		t.Errorf("a wrong secret: %s", got)
	}
	a.LimitFunction("echo", 0)
	if got := invoke(t, client, "echo", "", `1`); !strings.Contains(got, "TooManyRequests") {
		t.Errorf("the throttled function answers %s", got)
	}
	a.PutUserPolicy("caller", Allow("*", "*"))
	assumed, err := sts.NewFromConfig(a.Config(key)).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(a.CreateRole("reader", Allow("lambda:List*", "*"))), RoleSessionName: aws.String("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := assumed.Credentials
	session := &AWSKey{ID: *c.AccessKeyId, Secret: *c.SecretAccessKey, Session: *c.SessionToken}
	if _, err := lambda.NewFromConfig(a.Config(session)).ListFunctions(t.Context(), nil); err != nil {
		t.Error(err)
	}
	a.DeleteKey("caller", key)
	if got := invoke(t, client, "echo", "", `1`); !strings.Contains(got, "403") {
		t.Errorf("a deleted key: %s", got)
	}
	a.Reset()
	if got := invoke(t, lambda.NewFromConfig(a.Config(a.Root)), "echo", "", `1`); !strings.Contains(got, "404") {
		t.Errorf("after a reset: %s", got)
	}
}

func TestAWSRunsFunctions(t *testing.T) {
	a := StartAWS(t)
	client := lambda.NewFromConfig(a.Config(a.Root))
	arn := a.CreateFunction(LambdaFunction{Name: "python", Python: "def handler(event, context):\n    return {'v': 1}\n", Tags: map[string]string{"team": "a"}})
	a.PutAlias("python", "live", a.PublishVersion("python"))
	a.UpdateFunction(LambdaFunction{Name: "python", Python: "def handler(event, context):\n    return {'v': 2}\n"})
	for qualifier, want := range map[string]string{"live": `{"v": 1}`, "1": `{"v": 1}`, "": `{"v": 2}`} {
		if got := invoke(t, client, "python", qualifier, `{}`); got != want {
			t.Errorf("%q answers %s: %s is wanted", qualifier, got, want)
		}
	}
	a.PutAlias("python", "live", a.PublishVersion("python"))
	if got := invoke(t, client, "python", "live", `{}`); got != `{"v": 2}` {
		t.Errorf("the alias that was moved answers %s", got)
	}
	a.TagFunction(arn, map[string]string{"env": "test"})
	tags, err := client.ListTags(t.Context(), &lambda.ListTagsInput{Resource: aws.String(arn)})
	if err != nil || tags.Tags["team"] != "a" || tags.Tags["env"] != "test" {
		t.Errorf("the tags are %v, %v", tags, err)
	}
	program := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", program, "./testdata/lambda")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the function: %v\n%s", err, out)
	}
	a.CreateFunction(LambdaFunction{Name: "program", Binary: program})
	if got := invoke(t, client, "program", "", `{"n":1}`); !strings.Contains(got, `"n":`) {
		t.Errorf("the program answers %s", got)
	}
	a.DeleteFunction("program")
	if got := invoke(t, client, "program", "", `1`); !strings.Contains(got, "404") {
		t.Errorf("the deleted function answers %s", got)
	}
}
