package lambda

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

var (
	errTooMany = errors.New("the account has more functions and versions than are taken; narrow the block with prefix")
	errEndless = errors.New("a page of functions names itself as the next one")
)

// detail is what AWS tells of one function at a time. It is immutable.
type detail struct {
	revision string // of the function when it was asked
	at       time.Time
	tags     map[string]string // nil unless the block selects by tags
	aliases  []alias           // sorted by name
	urls     map[string]string // Function URLs by qualifier; "" is the function itself
}

type alias struct{ name, summary string }

// learn asks about every function that is new or has changed, and again about those asked about long ago. It forgets
// those that are not listed any more.
func (l *lister) learn(ctx context.Context, groups map[string][]types.FunctionConfiguration) error {
	l.mu.Lock()
	maps.DeleteFunc(l.details, func(arn string, _ detail) bool { return groups[arn] == nil })
	var ask []string
	for arn, versions := range groups {
		if d, known := l.details[arn]; !known || d.revision != revision(versions) || time.Since(d.at) >= l.fresh {
			ask = append(ask, arn)
		}
	}
	l.mu.Unlock()
	slices.Sort(ask)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan string)
	var group sync.WaitGroup
	for range min(askers, len(ask)) {
		group.Go(func() {
			for arn := range next {
				if err := l.learnOne(ctx, arn, revision(groups[arn])); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, arn := range ask {
		select {
		case next <- arn:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	group.Wait()
	return context.Cause(ctx)
}

func (l *lister) learnOne(ctx context.Context, arn, revision string) error {
	d, err := l.ask(ctx, arn)
	if gone(err) {
		return nil // the next list does not have it
	}
	if err != nil {
		return err
	}
	d.revision, d.at = revision, time.Now()
	l.mu.Lock()
	l.details[arn] = d
	l.mu.Unlock()
	return nil
}

// ask learns what there is to know of a function; of one that the block's tags leave out, only its tags.
func (l *lister) ask(ctx context.Context, arn string) (d detail, err error) {
	if len(l.block.Tags) > 0 {
		if d.tags, err = l.tags(ctx, arn); err != nil {
			return d, err
		}
		for tag, value := range l.block.Tags {
			if d.tags[tag] != value {
				return d, nil
			}
		}
	}
	if d.aliases, err = l.aliases(ctx, arn); err != nil {
		return d, err
	}
	d.urls, err = l.urls(ctx, arn)
	return d, err
}

func (l *lister) tags(ctx context.Context, arn string) (map[string]string, error) {
	if err := l.pace.Wait(ctx); err != nil {
		return nil, err
	}
	answer, err := l.api.ListTags(ctx, &awslambda.ListTagsInput{Resource: aws.String(arn)})
	if err != nil {
		return nil, explain("lambda:ListTags", err)
	}
	return answer.Tags, nil
}

func (l *lister) aliases(ctx context.Context, arn string) (out []alias, err error) {
	in := &awslambda.ListAliasesInput{FunctionName: aws.String(arn)}
	for {
		if err := l.pace.Wait(ctx); err != nil {
			return nil, err
		}
		page, err := l.api.ListAliases(ctx, in)
		if err != nil {
			return nil, explain("lambda:ListAliases", err)
		}
		for _, a := range page.Aliases {
			out = append(out, alias{aws.ToString(a.Name), aws.ToString(a.Description)})
		}
		if aws.ToString(page.NextMarker) == "" || aws.ToString(page.NextMarker) == aws.ToString(in.Marker) {
			slices.SortFunc(out, func(a, b alias) int { return strings.Compare(a.name, b.name) })
			return out, nil
		}
		in.Marker = page.NextMarker
	}
}

// urls are the Function URLs. They are a convenience: credentials that may not ask see none.
func (l *lister) urls(ctx context.Context, arn string) (map[string]string, error) {
	if err := l.pace.Wait(ctx); err != nil {
		return nil, err
	}
	answer, err := l.api.ListFunctionUrlConfigs(ctx, &awslambda.ListFunctionUrlConfigsInput{FunctionName: aws.String(arn)})
	if denied(err) {
		return nil, nil
	}
	if err != nil {
		return nil, explain("lambda:ListFunctionUrlConfigs", err)
	}
	out := map[string]string{}
	for _, u := range answer.FunctionUrlConfigs {
		qualifier := strings.TrimPrefix(strings.TrimPrefix(aws.ToString(u.FunctionArn), arn), ":")
		out[qualifier] = strings.TrimSuffix(aws.ToString(u.FunctionUrl), "/")
	}
	return out, nil
}

// revision changes whenever the function itself does.
func revision(versions []types.FunctionConfiguration) string {
	var b strings.Builder
	for _, v := range versions {
		b.WriteString(aws.ToString(v.Version) + "=" + aws.ToString(v.RevisionId) + aws.ToString(v.LastModified) + " ")
	}
	return b.String()
}
