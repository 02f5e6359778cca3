package testenv

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// LambdaHandler is a Lambda as a Go function: an event in, a result out, both JSON. An error is a function error. It is
// called concurrently.
type LambdaHandler func(ctx context.Context, event []byte) (result []byte, err error)

// LambdaFunction says what is deployed in a simulator of AWS. Exactly one of Handler, Python and Binary is set.
type LambdaFunction struct {
	Name        string
	Handler     LambdaHandler // runs in the test; the simulator forwards the events
	Python      string        // the source of a module with def handler(event, context)
	Binary      string        // the path of a static Linux program that speaks Lambda's runtime API
	Environment map[string]string
	Tags        map[string]string
	Timeout     time.Duration // in whole seconds; 3 s when 0
}

// CreateFunction deploys a function and returns its ARN.
func (a *AWS) CreateFunction(f LambdaFunction) (arn string) {
	a.t.Helper()
	code, runtime := a.code(f)
	made, err := a.lambda().CreateFunction(context.Background(), &lambda.CreateFunctionInput{
		FunctionName: aws.String(f.Name), Runtime: runtime, Handler: aws.String("function.handler"),
		Role:        aws.String("arn:aws:iam::" + a.Account + ":role/" + functionRole),
		Code:        &types.FunctionCode{ZipFile: code},
		Environment: &types.Environment{Variables: a.environment(f)},
		Tags:        f.Tags, Timeout: aws.Int32(int32(max(f.Timeout, 3*time.Second) / time.Second)),
	})
	if err != nil {
		a.t.Fatalf("create function %s: %v", f.Name, err)
	}
	return aws.ToString(made.FunctionArn)
}

// UpdateFunction replaces the code and the environment of a function. Versions that were published stay as they are.
func (a *AWS) UpdateFunction(f LambdaFunction) {
	a.t.Helper()
	code, _ := a.code(f)
	_, err := a.lambda().UpdateFunctionCode(context.Background(),
		&lambda.UpdateFunctionCodeInput{FunctionName: aws.String(f.Name), ZipFile: code})
	if err == nil {
		_, err = a.lambda().UpdateFunctionConfiguration(context.Background(), &lambda.UpdateFunctionConfigurationInput{
			FunctionName: aws.String(f.Name), Environment: &types.Environment{Variables: a.environment(f)},
		})
	}
	if err != nil {
		a.t.Fatalf("update function %s: %v", f.Name, err)
	}
}

// PublishVersion freezes the function as it is, and returns the number of the version.
func (a *AWS) PublishVersion(function string) (version string) {
	a.t.Helper()
	made, err := a.lambda().PublishVersion(context.Background(),
		&lambda.PublishVersionInput{FunctionName: aws.String(function)})
	if err != nil {
		a.t.Fatalf("publish a version of %s: %v", function, err)
	}
	return aws.ToString(made.Version)
}

// PutAlias points an alias at a version, and makes it if need be. Weights of aliases are not simulated.
func (a *AWS) PutAlias(function, alias, version string) {
	a.t.Helper()
	_, err := a.lambda().UpdateAlias(context.Background(), &lambda.UpdateAliasInput{
		FunctionName: aws.String(function), Name: aws.String(alias), FunctionVersion: aws.String(version),
	})
	if err != nil {
		_, err = a.lambda().CreateAlias(context.Background(), &lambda.CreateAliasInput{
			FunctionName: aws.String(function), Name: aws.String(alias), FunctionVersion: aws.String(version),
		})
	}
	if err != nil {
		a.t.Fatalf("point alias %s of %s at version %s: %v", alias, function, version, err)
	}
}

// TagFunction adds tags to a function, by its ARN.
func (a *AWS) TagFunction(arn string, tags map[string]string) {
	a.t.Helper()
	_, err := a.lambda().TagResource(context.Background(), &lambda.TagResourceInput{Resource: aws.String(arn), Tags: tags})
	if err != nil {
		a.t.Fatalf("tag %s: %v", arn, err)
	}
}

// LimitFunction reserves that many concurrent calls for a function; with 0 each call is throttled (429).
func (a *AWS) LimitFunction(function string, calls int) {
	a.t.Helper()
	_, err := a.lambda().PutFunctionConcurrency(context.Background(), &lambda.PutFunctionConcurrencyInput{
		FunctionName: aws.String(function), ReservedConcurrentExecutions: aws.Int32(int32(calls)),
	})
	if err != nil {
		a.t.Fatalf("limit function %s: %v", function, err)
	}
}

// DeleteFunction removes a function with its versions and aliases.
func (a *AWS) DeleteFunction(function string) {
	a.t.Helper()
	_, err := a.lambda().DeleteFunction(context.Background(), &lambda.DeleteFunctionInput{FunctionName: aws.String(function)})
	if err != nil {
		a.t.Fatalf("delete function %s: %v", function, err)
	}
}

func (a *AWS) lambda() *lambda.Client { return lambda.NewFromConfig(a.Config(a.Root)) }

// environment of a function; one that runs in the test is reached over HTTP.
func (a *AWS) environment(f LambdaFunction) map[string]string {
	a.t.Helper()
	if f.Handler == nil {
		return f.Environment
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(r.Body)
		var result []byte
		if err == nil {
			result, err = f.Handler(r.Context(), event)
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			result = functionError(err)
		}
		_, _ = w.Write(result)
	}))
	a.t.Cleanup(s.Close)
	env := maps.Clone(f.Environment)
	if env == nil {
		env = map[string]string{}
	}
	env["MINISTACK_LAMBDA_PROXY_URL"] = s.URL + "/"
	return env
}

// functionError is what Lambda answers when a function fails.
func functionError(err error) []byte {
	kind := "Error"
	if _, late := errors.AsType[errTaskTimedOut](err); late {
		kind = "Sandbox.Timedout"
	}
	b, _ := json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": kind}) // two strings
	return b
}

// code is the archive to upload, with the runtime that runs it.
func (a *AWS) code(f LambdaFunction) ([]byte, types.Runtime) {
	a.t.Helper()
	file, content, runtime := "function.py", []byte(f.Python), types.RuntimePython312
	if f.Binary != "" {
		b, err := os.ReadFile(f.Binary)
		if err != nil {
			a.t.Fatalf("read the program of %s: %v", f.Name, err)
		}
		file, content, runtime = "bootstrap", b, types.RuntimeProvidedal2023
	}
	archive, err := zipOf(file, content)
	if err != nil {
		a.t.Fatalf("zip the code of %s: %v", f.Name, err)
	}
	return archive, runtime
}

func zipOf(file string, content []byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: file, Method: zip.Deflate}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", file, err)
	}
	return b.Bytes(), nil
}
