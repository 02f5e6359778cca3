package lambda

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/time/rate"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	latest       = "$LATEST"
	maxFunctions = 50_000 // functions and versions; more are an error, not half an answer
	maxSummary   = 200
	askers       = 4 // questions about single functions at a time
)

// lister asks for the functions of one block. Its method is called by one goroutine at a time.
type lister struct {
	block *gateway.Lambda
	api   client
	pace  *rate.Limiter
	fresh time.Duration

	mu      sync.Mutex
	details map[string]detail // by ARN without a qualifier
}

// list is a discovery.FunctionList.
func (l *lister) list(ctx context.Context, _ bool) ([]*gateway.Function, bool, error) {
	configs, err := l.pages(ctx)
	if err != nil {
		return nil, false, err
	}
	groups := map[string][]types.FunctionConfiguration{} // versions by the function's ARN
	for _, c := range configs {
		if arn := unqualified(aws.ToString(c.FunctionArn)); arn != "" && strings.HasPrefix(aws.ToString(c.FunctionName), l.block.Prefix) {
			groups[arn] = append(groups[arn], c)
		}
	}
	if err := l.learn(ctx, groups); err != nil {
		return nil, false, err
	}
	var out []*gateway.Function
	for arn, versions := range groups {
		out = append(out, l.functions(arn, versions)...)
	}
	slices.SortFunc(out, func(a, b *gateway.Function) int { return strings.Compare(a.Name, b.Name) })
	return out, true, nil
}

// pages lists all functions with their published versions.
func (l *lister) pages(ctx context.Context) (out []types.FunctionConfiguration, err error) {
	in := &awslambda.ListFunctionsInput{FunctionVersion: types.FunctionVersionAll, MaxItems: aws.Int32(50)}
	for {
		if err := l.pace.Wait(ctx); err != nil {
			return nil, err
		}
		page, err := l.api.ListFunctions(ctx, in)
		if err != nil {
			return nil, explain("lambda:ListFunctions", err)
		}
		out = append(out, page.Functions...)
		if len(out) > maxFunctions {
			return nil, errTooMany
		}
		if aws.ToString(page.NextMarker) == "" {
			return out, nil
		}
		if aws.ToString(page.NextMarker) == aws.ToString(in.Marker) {
			return nil, errEndless
		}
		in.Marker = page.NextMarker
	}
}

// functions are one Lambda as it can be called: as it is, by its versions, by its aliases.
func (l *lister) functions(arn string, versions []types.FunctionConfiguration) (out []*gateway.Function) {
	l.mu.Lock()
	d := l.details[arn]
	l.mu.Unlock()
	if d.gone {
		return nil
	}
	for tag, value := range l.block.Tags {
		if d.tags[tag] != value {
			return nil
		}
	}
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	add := func(qualifier, summary string) {
		f := &gateway.Function{
			Name: name, Kind: gateway.FunctionLambda, Summary: short(summary),
			Lambda: &gateway.LambdaFunction{ARN: arn, Qualifier: qualifier, URL: d.urls[qualifier], Tags: d.tags},
		}
		if qualifier != "" {
			f.Name += ":" + qualifier
			f.Lambda.ARN += ":" + qualifier
		}
		out = append(out, f)
	}
	seen := map[string]bool{}
	summary := ""
	for _, v := range versions {
		qualifier := aws.ToString(v.Version)
		if qualifier == latest || qualifier == "" {
			qualifier, summary = "", aws.ToString(v.Description)
		}
		if !seen[qualifier] {
			seen[qualifier] = true
			add(qualifier, aws.ToString(v.Description))
		}
	}
	for _, alias := range d.aliases {
		if !seen[alias.name] {
			seen[alias.name] = true
			add(alias.name, cmp.Or(alias.summary, summary))
		}
	}
	return out
}

// unqualified is an ARN without the version: arn:aws:lambda:REGION:ACCOUNT:function:NAME; "" for what is none.
func unqualified(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || len(parts) > 8 || parts[0] != "arn" || parts[5] != "function" || parts[6] == "" {
		return ""
	}
	return strings.Join(parts[:7], ":")
}

// short is the first line of a description, bounded.
func short(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(strings.ToValidUTF8(s, "")), "\n")
	for len(s) > maxSummary {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.TrimSpace(s)
}
