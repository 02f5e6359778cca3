package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

// The doctor asks AWS one permission after the other, and names the line that is missing.
func TestDoctorNamesTheMissingLineOfAPolicy(t *testing.T) {
	sim := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	sim.Put(testenv.SimulatedFunction{Name: "divide", Versions: map[string]testenv.LambdaHandler{"1": nil}, Aliases: map[string]testenv.LambdaAlias{"live": {Version: "1"}}})
	config := doctorFiles(t, sim.Endpoint, `{"access_key": "AKIAEXAMPLE", "secret_key": "s3cret"}`)

	list, code := diagnosed(t, config)
	if code != codeFine {
		t.Errorf("exit code %d: %+v", code, list)
	}
	for _, want := range []string{"lambda:ListFunctions", "lambda:ListAliases", "lambda:ListTags", "lambda:InvokeFunction divide:live"} {
		if f := asked(list, want); f == nil || !f.OK || f.System != "aws, upstream.math" {
			t.Errorf("%s: %+v", want, f)
		}
	}
	if f := asked(list, "lambda:InvokeFunction gone"); f != nil {
		t.Errorf("a function that nobody calls is asked for: %+v", f)
	}

	for operation, action := range map[string]string{"ListFunctions": "lambda:ListFunctions", "ListTags": "lambda:ListTags", "Invoke": "lambda:InvokeFunction divide:live"} {
		sim.Fail(testenv.LambdaFault{Operation: operation, Status: 403, Code: "AccessDeniedException"})
		list, code := diagnosed(t, config)
		name, _, _ := strings.Cut(action, " ")
		f := asked(list, action)
		if code != codeWorld || f == nil || f.OK || !strings.Contains(f.Need, `"Action": "`+name+`"`) {
			t.Errorf("%s is denied: exit code %d, %+v", operation, code, f)
		}
		sim.Mend()
	}

	sim.Remove("divide")
	if list, _ = diagnosed(t, config); !strings.Contains(asked(list, "lambda:InvokeFunction divide:live").Need, "of that name") {
		t.Errorf("a function that is gone: %+v", list)
	}
}

func TestDoctorSaysWhichCredentialsAreMissing(t *testing.T) {
	sim := testenv.StartLambdaSimulator(t, testenv.LambdaSimulatorOptions{})
	list, code := diagnosed(t, doctorFiles(t, sim.Endpoint, `{"access": "AKIAEXAMPLE"}`))
	f := asked(list, "credentials are there")
	if code != codeWorld || f == nil || f.OK || !strings.Contains(f.Need, "access_key") {
		t.Errorf("exit code %d: %+v", code, list)
	}
	if raw, _ := json.Marshal(list); strings.Contains(string(raw), "AKIA") {
		t.Errorf("a secret is shown: %s", raw)
	}
}

// doctorFiles writes a configuration, documents and a secret, and returns the path of the configuration.
func doctorFiles(t *testing.T, endpoint, secret string) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "agent.hcl")
	for name, text := range map[string]string{
		config:                     fmt.Sprintf("config {\n  path = %q\n}\n", filepath.Join(dir, "docs")),
		filepath.Join(dir, "keys"): secret,
		filepath.Join(dir, "docs", "math.hcl"): fmt.Sprintf(`gateway "edge" {
  listener "http" { port = 8080 }
}
secret "aws" {
  file {
    path = %q
    json = true
  }
}
upstream "math" {
  lambda {
    region      = "us-east-1"
    endpoint    = %q
    credentials = secret.aws
  }
}
route "divide" {
  match { path = "/divide" }
  to { function = function.math["divide:live"] }
}
`, filepath.Join(dir, "keys"), endpoint),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

func diagnosed(t *testing.T, config string) (list []finding, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, errs: &errs, env: func(string) string { return "" }}
	c := a.command()
	c.SetArgs([]string{"doctor", "--config", config, "--json"})
	code = a.report(c.ExecuteContext(t.Context()))
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), errs.String())
	}
	return list, code
}

func asked(list []finding, check string) *finding {
	for i := range list {
		if list[i].Check == check {
			return &list[i]
		}
	}
	return nil
}
