package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	errTooMany = errors.New("the account has more functions and versions than are taken")
	errEndless = errors.New("a page of functions names itself as the next one")
)

const (
	aliasPage  = 50
	maxAliases = 10_000 // of one function
	manyAsked  = 100    // functions in one round
	staleAsked = 60     // functions in one round that nothing is new of: a large account is not asked all day
)

// detail is what AWS tells of one function at a time. It is immutable.
type detail struct {
	revision string // of the function when it was asked
	at       time.Time
	tags     map[string]string // nil unless the block selects by tags
	aliases  []alias           // sorted by name
	urls     map[string]string // Function URLs by qualifier; "" is the function itself
	partly   bool              // its URLs are to be asked for
	gone     bool              // it was deleted since it was listed
}

type alias struct{ name, summary string }

// learn asks about every function that is new or has changed, and again about some of those asked about long ago. It
// forgets those that are not listed any more.
func (l *lister) learn(ctx context.Context, groups map[string][]types.FunctionConfiguration) error {
	ask := l.due(groups)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan string)
	var group sync.WaitGroup
	for range min(askers, len(ask)) {
		group.Go(func() {
			for arn := range next {
				if err := l.learnOne(ctx, arn, revision(groups[arn]), len(ask) > manyAsked); err != nil {
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

// due lists the functions to ask about, by name.
func (l *lister) due(groups map[string][]types.FunctionConfiguration) (ask []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.details, func(arn string, _ detail) bool { return groups[arn] == nil })
	var stale []string
	for arn, versions := range groups {
		d, known := l.details[arn]
		switch {
		case !known || d.partly || d.gone || d.revision != revision(versions):
			ask = append(ask, arn)
		case time.Since(d.at) >= l.fresh:
			stale = append(stale, arn)
		}
	}
	slices.SortFunc(stale, func(a, b string) int {
		return cmp.Or(l.details[a].at.Compare(l.details[b].at), strings.Compare(a, b))
	})
	ask = append(ask, stale[:min(len(stale), staleAsked)]...)
	slices.Sort(ask)
	return ask
}

// learnOne asks about one function. Where many are asked about, the URLs of one that is new are left for the next round,
// so that the first list is there in half the time.
func (l *lister) learnOne(ctx context.Context, arn, revision string, many bool) error {
	l.mu.Lock()
	_, known := l.details[arn]
	l.mu.Unlock()
	d, err := l.ask(ctx, arn, many && !known)
	if gone(err) {
		d, err = detail{gone: true}, nil
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

// ask learns what there is to know of a function, but for its URLs if these can wait; of one that the block's tags leave
// out, only its tags.
func (l *lister) ask(ctx context.Context, arn string, urlsWait bool) (d detail, err error) {
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
	if d.aliases, err = l.aliases(ctx, arn); err != nil || urlsWait {
		d.partly = urlsWait
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
	in := &awslambda.ListAliasesInput{FunctionName: aws.String(arn), MaxItems: aws.Int32(aliasPage)}
	for range maxAliases / aliasPage {
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
		if aws.ToString(page.NextMarker) == "" {
			slices.SortFunc(out, func(a, b alias) int { return strings.Compare(a.name, b.name) })
			return out, nil
		}
		in.Marker = page.NextMarker
	}
	return nil, fmt.Errorf("%s has more than %d aliases", arn, maxAliases)
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
