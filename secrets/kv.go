package secrets

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// kvReader reads a secret of a key/value engine. Of version 2 it looks at the metadata, which is cheap, and reads the
// secret when its version changed; without the right to see metadata, and of version 1, it reads the secret each time.
type kvReader struct {
	spec  *gateway.VaultKV
	conn  *conn
	known string          // the version that was read last
	up    <-chan struct{} // closed at the next login
}

func (r *kvReader) step(ctx context.Context) (outcome, error) {
	r.up = r.conn.nextLogin()
	again := spread(r.interval(), 0.1)
	if r.spec.Version == 1 {
		path := clean(r.spec.Mount, r.spec.Path)
		s, _, err := r.conn.read(ctx, path, nil)
		if err != nil {
			return outcome{}, err
		}
		return r.found(path, s.Data, outcome{again: again})
	}
	v, err := r.look(ctx)
	switch {
	case statusOf(err) == 403: // the data may be readable all the same
	case err != nil:
		return outcome{}, err
	case v.id() == r.known:
		return outcome{again: again, note: v.note()}, nil
	}
	path := clean(r.spec.Mount, "data", r.spec.Path)
	s, _, err := r.conn.read(ctx, path, nil)
	if err != nil {
		return outcome{}, err
	}
	meta, _ := s.Data["metadata"].(map[string]any)
	v = version(meta, meta["version"])
	if err := v.gone(path); err != nil {
		return outcome{}, err
	}
	data, ok := s.Data["data"].(map[string]any)
	if !ok {
		return outcome{}, shapef("read %s: the answer has no data: is it an engine of version 2?", path)
	}
	out, err := r.found(path, data, outcome{again: again, note: v.note()})
	if err == nil {
		r.known = v.id()
	}
	return out, err
}

func (r *kvReader) found(path string, data map[string]any, out outcome) (outcome, error) {
	found, err := choose(data, r.spec.Field)
	if err != nil {
		return outcome{}, shapef("read %s: %v", path, err)
	}
	out.fresh, out.material = true, found
	return out, nil
}

// kvVersion is one version of a secret, as metadata has it.
type kvVersion struct {
	number    string
	created   string
	deleted   bool
	destroyed bool
}

// id tells versions apart, those of a path that was removed and made again too.
func (v kvVersion) id() string { return v.number + " " + v.created }

func (v kvVersion) note() string { return "version " + v.number }

func (v kvVersion) gone(path string) error {
	switch {
	case v.destroyed:
		return &problem{kind: absent, text: fmt.Sprintf("read %s: version %s was destroyed", path, v.number)}
	case v.deleted:
		return &problem{kind: absent, text: fmt.Sprintf("read %s: version %s was deleted", path, v.number)}
	}
	return nil
}

func version(m map[string]any, number any) kvVersion {
	v := kvVersion{}
	if n, ok := number.(json.Number); ok {
		v.number = n.String()
	}
	v.created, _ = m["created_time"].(string)
	v.destroyed, _ = m["destroyed"].(bool)
	if at, _ := m["deletion_time"].(string); at != "" {
		t, err := time.Parse(time.RFC3339Nano, at)
		v.deleted = err != nil || !t.After(time.Now()) // it may be due later
	}
	return v
}

// look reads the metadata.
func (r *kvReader) look(ctx context.Context) (kvVersion, error) {
	path := clean(r.spec.Mount, "metadata", r.spec.Path)
	s, _, err := r.conn.read(ctx, path, nil)
	if err != nil {
		return kvVersion{}, err
	}
	number, ok := s.Data["current_version"].(json.Number)
	if !ok {
		return kvVersion{}, shapef("read %s: the answer has no current version: is it an engine of version 2?", path)
	}
	all, _ := s.Data["versions"].(map[string]any)
	one, ok := all[number.String()].(map[string]any)
	if !ok {
		return kvVersion{}, &problem{kind: absent, text: fmt.Sprintf("read %s: there is no version of it", path)}
	}
	v := version(one, number)
	return v, v.gone(path)
}

// wake makes a reader that failed try again after a login.
func (r *kvReader) wake(failing bool) <-chan struct{} {
	if failing {
		return r.up
	}
	return nil
}

// patience is short while nobody answers. What is denied, deleted or of the wrong shape is not looked at more often
// than a secret that is well, and once a minute at least.
func (r *kvReader) patience(err error) time.Duration {
	if kindOf(err) == unreachable {
		return whileDown(err)
	}
	return min(r.interval(), time.Minute)
}

func (r *kvReader) interval() time.Duration {
	if r.spec.Interval <= 0 {
		return 5 * time.Minute
	}
	return r.spec.Interval
}

func (r *kvReader) end() []lease { return nil }
