package ec2

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/ec2/policies"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// launch runs instances in a simulator that checks signatures and policies, and returns their ids.
func launch(t testing.TB, a *testenv.AWS, n int, tags map[string]string) (ids []string) {
	t.Helper()
	spec := types.TagSpecification{ResourceType: types.ResourceTypeInstance}
	for k, v := range tags {
		spec.Tags = append(spec.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	out, err := ec2.NewFromConfig(a.Config(a.Root)).RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String("ami-12345678"), InstanceType: types.InstanceTypeC7gLarge, MinCount: aws.Int32(int32(n)), MaxCount: aws.Int32(int32(n)),
		TagSpecifications: []types.TagSpecification{spec},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range out.Instances {
		ids = append(ids, aws.ToString(i.InstanceId))
	}
	return ids
}

func terminate(t testing.TB, a *testenv.AWS, ids ...string) {
	t.Helper()
	if len(ids) == 0 {
		return
	}
	if _, err := ec2.NewFromConfig(a.Config(a.Root)).TerminateInstances(context.Background(), &ec2.TerminateInstancesInput{InstanceIds: ids}); err != nil {
		t.Fatal(err)
	}
}

// with are options to ask a simulator with a key, without what makes tests of the fake hasty.
func with(t testing.TB, a *testenv.AWS, key *testenv.AWSKey) Options {
	opts := hasty(t)
	cfg := a.Config(key)
	cfg.BaseEndpoint, cfg.HTTPClient, cfg.Retryer = nil, nil, nil
	opts.Connections, opts.Timeout = map[string]aws.Config{"main": cfg}, 5*time.Second
	opts.STS = map[string]string{"main": a.Endpoint}
	return opts
}

// simulated is a simulator as the suite drives it: what fails and hangs is the way to it.
type simulated struct {
	t       testing.TB
	aws     *testenv.AWS
	gate    *gate
	running []string
}

func (s *simulated) Set(n int) {
	s.gate.set("")
	if len(s.running) > n {
		terminate(s.t, s.aws, s.running[n:]...)
		s.running = s.running[:n]
	}
	if more := n - len(s.running); more > 0 {
		s.running = append(s.running, launch(s.t, s.aws, more, map[string]string{"service": "shop"})...)
	}
}

func (s *simulated) Fail() { s.gate.set("fail") }
func (s *simulated) Hang() { s.gate.set("hang") }

// The suite against a simulator that checks signatures and policies, with the shipped policy. What AWS says has been
// terminated is drained before it goes.
func TestSourceOfAWS(t *testing.T) {
	a := testenv.StartAWS(t)
	users := 0
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			a.Reset()
			users++
			key := a.CreateUser(fmt.Sprintf("finder-%d", users), policies.EC2)
			s := &simulated{t: t, aws: a, gate: startGate(t, a.Endpoint)}
			s.Set(2)
			launch(t, a, 1, map[string]string{"service": "other"})
			block := shop(s.gate.URL)
			block.StatusChecks = true
			opts := with(t, a, key)
			opts.Timeout = 2 * time.Second
			return settled{opened(t, Kind(opts), block)}, s
		},
		Patience: 20 * time.Second,
		Secrets:  []string{"finder-secret"},
	})
}

// settled leaves out what is draining, as whoever counts endpoints that take traffic does.
type settled struct{ discovery.Source }

func (s settled) Run(ctx context.Context, update func([]gateway.Endpoint), alive func()) error {
	return s.Source.Run(ctx, func(all []gateway.Endpoint) {
		var out []gateway.Endpoint
		for _, e := range all {
			if e.Health != gateway.Draining {
				out = append(out, e)
			}
		}
		update(out)
	}, alive)
}

func TestWithTheShippedPolicy(t *testing.T) {
	a := testenv.StartAWS(t)
	ids := launch(t, a, 3, map[string]string{"service": "shop", "version": "2"})
	launch(t, a, 2, map[string]string{"Name": "jump"})
	block := shop(a.Endpoint)
	block.StatusChecks = true
	key := a.CreateUser("finder", policies.EC2)
	kind := Kind(with(t, a, key))
	source := opened(t, kind, block)
	l := listen(t, source)
	got := l.next()
	if len(got) != 3 || got[0].Meta["version"] != "2" || got[0].Locality.Zone != "us-east-1a" || got[0].Port != 8080 || got[0].Health != gateway.Healthy {
		t.Errorf("%+v", got)
	}
	terminate(t, a, ids[0])
	drained := false
	for e := got; len(e) != 2; {
		e = l.next()
		for _, x := range e {
			drained = drained || x.ID == ids[0] && x.Health == gateway.Draining
		}
	}
	if !drained {
		t.Error("a terminated instance was not drained")
	}
	for _, f := range kind.Doctor(t.Context(), []gateway.SourceSpec{block}) {
		if !f.OK {
			t.Errorf("the doctor says %+v", f)
		}
		t.Log(f.Check)
	}
	found, err := kind.Discover(t.Context())
	if err == nil || !strings.Contains(err.Error(), "aws main: ") || found != nil {
		t.Errorf("discover asked AWS itself: %+v, %v", found, err)
	}

	// A key that was deleted, and a policy that allows less.
	a.DeleteKey("finder", key)
	if err := l.err(); !strings.Contains(err.Error(), "AWS does not accept the credentials") {
		t.Errorf("a deleted key: %v", err)
	}
	less := with(t, a, a.CreateUser("less", testenv.Allow("ec2:DescribeInstances", "*")))
	if err := listen(t, opened(t, Kind(less), block)).err(); !strings.Contains(err.Error(), "allow ec2:DescribeInstanceStatus in their policy") {
		t.Errorf("without the right to ask for status: %v", err)
	}
	needs := map[string]bool{}
	for _, f := range Kind(less).Doctor(t.Context(), []gateway.SourceSpec{block}) {
		needs[f.Need] = true
	}
	if !needs[`{"Effect": "Allow", "Action": "ec2:DescribeInstanceStatus", "Resource": "*"}`] {
		t.Errorf("the doctor wants %v", needs)
	}
	nothing := with(t, a, a.CreateUser("nothing", ""))
	if err := listen(t, opened(t, Kind(nothing), block)).err(); !strings.Contains(err.Error(), "allow ec2:DescribeInstances in their policy") {
		t.Errorf("without any right: %v", err)
	}
}

// A role that is assumed, by a user that may do nothing else.
func TestWithAnAssumedRole(t *testing.T) {
	a := testenv.StartAWS(t)
	launch(t, a, 1, map[string]string{"service": "shop"})
	role := a.CreateRole("finder", policies.EC2)
	opts := with(t, a, a.CreateUser("assumer", testenv.Allow("sts:AssumeRole", "*")))
	if err := listen(t, opened(t, Kind(opts), shop(a.Endpoint))).err(); !strings.Contains(err.Error(), "may not do this") {
		t.Errorf("without the role: %v", err)
	}
	cfg := opts.Connections["main"]
	client := sts.NewFromConfig(a.Config(a.CreateUser("assumer-2", testenv.Allow("sts:AssumeRole", "*"))))
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, role))
	opts.Connections["main"] = cfg
	if got := listen(t, opened(t, Kind(opts), shop(a.Endpoint))).next(); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// The role of the machine, by IMDSv2: its key and token sign the calls.
func TestWithTheRoleOfTheMachine(t *testing.T) {
	a := testenv.StartAWS(t)
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": a.Endpoint, "AWS_EC2_METADATA_DISABLED": "false", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_PROFILE": "", "AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none", "AWS_CONFIG_FILE": t.TempDir() + "/none", "AWS_EC2_METADATA_V1_DISABLED": "true", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	if err != nil {
		t.Fatal(err)
	}
	f := startFake(t)
	f.Set(1)
	opts := hasty(t)
	opts.Connections["main"] = cfg
	if got := listen(t, opened(t, Kind(opts), shop(f.URL))).next(); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	creds, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || creds.SessionToken == "" {
		t.Fatalf("%+v, %v", creds.Source, err)
	}
	if f.signers[0] != creds.AccessKeyID+" "+creds.SessionToken {
		t.Errorf("%.10s… signed, and the machine has %.10s…", f.signers[0], creds.AccessKeyID)
	}
}

// Users that Vault makes: a new version of the secret signs the next call, and one that was revoked is refused.
func TestWithCredentialsOfVault(t *testing.T) {
	a := testenv.StartAWS(t)
	launch(t, a, 2, map[string]string{"service": "shop"})
	v := testenv.StartVault(t, testenv.VaultOptions{})
	v.UseAWS(a)
	v.Write("aws/roles/sluice-ec2", map[string]any{"credential_type": "iam_user", "policy_document": policies.EC2})
	lease := func() (gateway.Material, string) {
		s, err := v.Client().Logical().Read("aws/creds/sluice-ec2")
		if err != nil {
			t.Fatal(err)
		}
		return gateway.NewMaterial(map[string][]byte{
			"access_key": []byte(s.Data["access_key"].(string)), "secret_key": []byte(s.Data["secret_key"].(string)),
		}), s.LeaseID
	}
	var current atomic.Pointer[gateway.Material]
	opts := with(t, a, a.Root)
	opts.Connections, opts.Reveal = nil, func(gateway.ID) (gateway.Material, bool) { return *current.Load(), true }
	block := shop(a.Endpoint)
	block.Credentials = gateway.Ref{ID: gateway.ID{Kind: gateway.KindSecret, Name: "aws"}}
	m, id := lease()
	current.Store(&m)
	source := opened(t, Kind(opts), block)
	l := listen(t, source)
	if got := l.next(); len(got) != 2 {
		t.Errorf("%+v", got)
	}
	if err := v.Client().Sys().Revoke(id); err != nil {
		t.Fatal(err)
	}
	if err := l.err(); !strings.Contains(err.Error(), "AWS does not accept the credentials") {
		t.Errorf("revoked credentials: %v", err)
	}
	m, _ = lease()
	current.Store(&m)
	if got := listen(t, source).next(); len(got) != 2 {
		t.Errorf("%+v", got)
	}
}
