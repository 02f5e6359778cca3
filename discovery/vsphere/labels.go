package vsphere

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
)

// catalogue remembers what tags are called, so that each is asked for once a session.
type catalogue struct {
	names      map[string]string // "category:name" by the id of a tag
	categories map[string]string // names by id
	read       time.Time         // when all were forgotten last: names change seldom
}

const namesFresh = 10 * time.Minute

// labelling is one reading of all tags.
type labelling struct {
	of    map[string][]string // "category:name" of each machine that has some, sorted
	names map[string]bool     // all tags that there are; nil: none are read
	pairs int                 // how many tags machines have together
}

// readTags reads the tags of all machines: the list of tags, what is new in it, and who has them.
func (c *client) readTags(ctx context.Context) (labelling, error) {
	out := labelling{}
	if c.tags == nil {
		return out, nil
	}
	var ids []string
	err := c.callTags(ctx, "list tags", func(ctx context.Context) (err error) {
		ids, err = c.tags.ListTags(ctx)
		return err
	})
	if err != nil {
		return out, err
	}
	if time.Since(c.labels.read) > namesFresh {
		clear(c.labels.names)
		clear(c.labels.categories)
		c.labels.read = time.Now()
	}
	out.of, out.names = map[string][]string{}, map[string]bool{}
	for _, id := range ids {
		name, err := c.tagName(ctx, id)
		if errors.Is(err, errVanished) {
			continue // since the list was read
		}
		if err != nil {
			return out, err
		}
		out.names[name] = true
	}
	for page := range slices.Chunk(ids, tagsPage) {
		if err := c.attached(ctx, page, &out); err != nil {
			return out, err
		}
	}
	for id, names := range out.of {
		slices.Sort(names)
		out.of[id] = slices.Compact(names)
		out.pairs += len(out.of[id])
	}
	return out, nil
}

const tagsPage = 500

// attached adds the machines that have some tags.
func (c *client) attached(ctx context.Context, ids []string, out *labelling) error {
	var found []tags.AttachedObjects
	err := c.callTags(ctx, "list what has tags", func(ctx context.Context) (err error) {
		found, err = c.tags.ListAttachedObjectsOnTags(ctx, ids)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range found {
		name := c.labels.names[f.TagID]
		if name == "" {
			continue // made since the list was read
		}
		for _, o := range f.ObjectIDs {
			if r := o.Reference(); r.Type == "VirtualMachine" {
				out.of[r.Value] = append(out.of[r.Value], name)
			}
		}
	}
	return nil
}

// tagName is "category:name" of a tag.
func (c *client) tagName(ctx context.Context, id string) (string, error) {
	if name := c.labels.names[id]; name != "" {
		return name, nil
	}
	var tag *tags.Tag
	err := c.callTags(ctx, "read tag "+id, func(ctx context.Context) (err error) {
		tag, err = c.tags.GetTag(ctx, id)
		return err
	})
	if err != nil {
		return "", err
	}
	category := c.labels.categories[tag.CategoryID]
	if category == "" {
		err := c.callTags(ctx, "read tag category "+tag.CategoryID, func(ctx context.Context) error {
			found, err := c.tags.GetCategory(ctx, tag.CategoryID)
			if err == nil {
				category = found.Name
			}
			return err
		})
		if err != nil {
			return "", err
		}
		c.labels.categories[tag.CategoryID] = category
	}
	name := category + ":" + tag.Name
	c.labels.names[id] = name
	return name, nil
}

var errTagSession = errors.New("the session of tags has ended")

// callTags is call, and says what the statuses of the tag service mean.
func (c *client) callTags(ctx context.Context, what string, do func(context.Context) error) error {
	return c.call(ctx, what, func(ctx context.Context) error {
		switch err := do(ctx); {
		case rest.IsStatusError(err, http.StatusUnauthorized):
			return errTagSession
		case rest.IsStatusError(err, http.StatusForbidden):
			return errors.New("the account may not read tags: it needs the role at the global permissions too")
		case rest.IsStatusError(err, http.StatusNotFound):
			return errVanished
		case err != nil:
			return err
		}
		return nil
	})
}

// doubt is what is thought of readings that lack much of what was there.
type doubt struct{ since time.Time }

// The times of a doubt, as discovery.Guard has them.
const (
	secondLook = time.Second
	holdAll    = time.Minute
)

// believes says whether a reading of now things after one of before counts, and when to look again if not.
func (d *doubt) believes(before, now int, at time.Time) (ok bool, again time.Duration) {
	if now >= before || now > 0 && (before < 3 || 2*(before-now) <= before) {
		d.since = time.Time{}
		return true, 0
	}
	if d.since.IsZero() {
		d.since = at
	}
	wait := secondLook
	if now == 0 {
		wait = holdAll
	}
	if left := wait - at.Sub(d.since); left > 0 {
		return false, min(left, 10*time.Second)
	}
	d.since = time.Time{}
	return true, 0
}
