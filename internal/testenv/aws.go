package testenv

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// AWS is a simulator of AWS that checks signatures and IAM policies. It ends with the test; its log is shown when the
// test has failed.
type AWS struct {
	Endpoint string  // http://127.0.0.1:PORT, of every service
	Region   string  // us-east-1
	Account  string  // 000000000000
	Root     *AWSKey // may do everything

	t testing.TB
	*server
}

// AWSKey is an access key. Session is empty unless the key is temporary.
type AWSKey struct{ ID, Secret, Session string }

// StartAWS starts a simulator on a port of its own and returns when it answers.
func StartAWS(t testing.TB) *AWS {
	t.Helper()
	dir, port := t.TempDir(), strconv.Itoa(FreePort(t))
	a := &AWS{
		Endpoint: "http://127.0.0.1:" + port, Region: "us-east-1", Account: "000000000000",
		Root: &AWSKey{ID: "test", Secret: "test"}, t: t,
	}
	cmd := exec.Command("python3", "-m", "ministack")
	cmd.Dir = dir
	cmd.Env = append(pythonEnv(t),
		"HOME="+dir, "TMPDIR="+dir, "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+port,
		"AUTH=true", "IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "LOG_LEVEL=WARNING")
	log := &Output{}
	a.server = startServer(t, "ministack", cmd, log)
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("ministack %s:\n%s", a.Endpoint, log.Tail(16<<10))
		}
	})
	Eventually(t, time.Minute, func() error {
		if err := a.alive(); err != nil {
			t.Fatal(err)
		}
		return a.call(http.MethodGet, "/_ministack/health")
	})
	a.CreateRole(functionRole, "")
	return a
}

// pythonEnv is the environment of a Python program that uses the packages of the tests.
func pythonEnv(t testing.TB) []string {
	t.Helper()
	return append(cleanEnv(), "PYTHONPATH="+pythonPackages(t), "PYTHONDONTWRITEBYTECODE=1", "LANG="+os.Getenv("LANG"))
}

func (a *AWS) call(method, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.Endpoint+path, nil)
	if err != nil {
		return fmt.Errorf("call the simulator of aws: %w", err)
	}
	resp, err := adminClient.Do(req)
	if err != nil {
		return fmt.Errorf("call the simulator of aws: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulator of aws answers %s with %s", path, resp.Status)
	}
	return nil
}

// functionRole is the role of every function; AWS refuses one without.
const functionRole = "function"

// Reset removes everything from the simulator.
func (a *AWS) Reset() {
	a.t.Helper()
	if err := a.call(http.MethodPost, "/_ministack/reset"); err != nil {
		a.t.Fatal(err)
	}
	a.CreateRole(functionRole, "")
}

// Kill ends the simulator as a crash does; what it knew is lost.
func (a *AWS) Kill() { a.kill() }

// Log is all that the simulator has written so far.
func (a *AWS) Log() string { return a.log.String() }

// Config is a configuration of AWS's own clients for the simulator: they sign with this key, try nothing again and keep
// no connection open.
func (a *AWS) Config(key *AWSKey) aws.Config { return key.config(a.Endpoint, a.Region) }

func (k *AWSKey) config(endpoint, region string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(k.ID, k.Secret, k.Session),
		HTTPClient:   adminClient,
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	}
}
