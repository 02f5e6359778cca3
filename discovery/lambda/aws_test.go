package lambda

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// TestWithTheShippedPolicy finds the functions of an AWS that checks signatures and policies, with the rights that
// sluice asks for and no others.
func TestWithTheShippedPolicy(t *testing.T) {
	a := testenv.StartAWS(t)
	answer := func(_ context.Context, event []byte) ([]byte, error) { return event, nil }
	arn := a.CreateFunction(testenv.LambdaFunction{Name: "divide", Handler: answer})
	a.CreateFunction(testenv.LambdaFunction{Name: "other", Handler: answer})
	a.TagFunction(arn, map[string]string{"team": "calc"})
	a.PutAlias("divide", "live", a.PublishVersion("divide"))
	find := func(user, policy string) ([]*gateway.Function, error) {
		t.Helper()
		k := a.CreateUser(user, policy)
		opts := hasty(t)
		opts.Timeout = 5 * time.Second
		block := &gateway.Lambda{Region: a.Region, Endpoint: a.Endpoint, Interval: time.Minute, Tags: map[string]string{"team": "calc"}}
		block.Credentials.ID = gateway.ID{Kind: gateway.KindSecret, Name: "aws"}
		f, err := Kind(opts).Open(gateway.Finder{Lambda: block}, discovery.Surroundings{Material: func(gateway.ID) (gateway.Material, bool) {
			return gateway.NewMaterial(map[string][]byte{"access_key": []byte(k.ID), "secret_key": []byte(k.Secret)}), true
		}})
		if err != nil {
			t.Fatal(err)
		}
		return first(t, f)
	}
	shipped, err := os.ReadFile("../../secrets/policies/aws-lambda.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := find("finder", string(shipped))
	if list := names(got); err != nil || !slices.Contains(list, "divide") || !slices.Contains(list, "divide:live") || slices.Contains(list, "other") {
		t.Errorf("found are %q, %v", names(got), err)
	}
	_, err = find("nobody", testenv.Allow("lambda:ListFunctions", "*"))
	if err == nil || !strings.Contains(err.Error(), "may not do lambda:ListTags: allow it in their policy") {
		t.Errorf("without the right to list tags: %v", err)
	}
}
