package secrets

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	recheck     = 5 * time.Minute  // between looks at credentials that are in use
	settleLimit = 2 * time.Minute  // how long new credentials may be refused before they are given back
	unprovenIn  = 30 * time.Second // how long sts may be out of reach before credentials are used unproven, when there are no others
	rejections  = 3                // in a row, of credentials in use, before they are replaced
)

// awsReader keeps AWS credentials: in use are `have`; `next` are fetched and being proven.
type awsReader struct {
	spec   *gateway.VaultAWS
	conn   *conn
	prove  prover
	settle time.Duration

	have     *credential
	next     *credential
	due      time.Time       // when have is renewed or replaced
	look     time.Time       // when have is proven again
	rejected int             // proofs of have that failed in a row
	up       <-chan struct{} // closed at the next login
}

// credential is one set of credentials with its lease.
type credential struct {
	fields    fields
	lease     string
	session   *session // the token that it was leased with: it ends with it
	renewable bool
	full      time.Duration // of the lease at first
	issued    time.Time
	expires   time.Time
	remark    string // what the status says beside the time
	proofs    int    // that succeeded
	tries     backoff
}

func (r *awsReader) step(ctx context.Context) (outcome, error) {
	now := time.Now()
	out := outcome{}
	replace := r.next != nil || r.have == nil
	r.up = r.conn.nextLogin()
	if r.have != nil {
		if s := r.conn.current(); s != nil && s != r.have.session {
			replace = true // the lease ends with the token that it was made with
		}
		switch {
		case now.Before(r.due):
		case r.have.renewable:
			end, err := r.renew(ctx)
			if err != nil {
				return outcome{}, err
			}
			replace, out.renewed = replace || end, !end
		default:
			replace = true
		}
		if !replace && !now.Before(r.look) {
			replace = r.recheck(ctx)
		}
	}
	if replace {
		return r.replace(ctx)
	}
	out.note, out.expires, out.again = r.have.note(), r.have.expires, max(0, min(time.Until(r.due), time.Until(r.look)))
	return out, nil
}

// renew gives the lease more time. end says that it has to be replaced: Vault no longer gives much, or nothing.
func (r *awsReader) renew(ctx context.Context) (end bool, err error) {
	h := r.have
	s, _, err := r.conn.write(ctx, "sys/leases/renew", map[string]any{"lease_id": h.lease, "increment": int(h.full.Seconds())})
	switch {
	case err != nil && kindOf(err) == unreachable:
		return false, err
	case err != nil || s.LeaseDuration <= 0:
		h.renewable = false // not ours any longer: another is fetched at once
		return true, nil
	}
	left := time.Duration(s.LeaseDuration) * time.Second
	h.expires = time.Now().Add(left)
	if capped(left, h.full) || !s.Renewable {
		h.renewable = false
		return true, nil
	}
	r.due = time.Now().Add(renewIn(left))
	return false, nil
}

// recheck proves what is in use, and says that it has to be replaced: somebody has taken it back behind our back.
func (r *awsReader) recheck(ctx context.Context) bool {
	err := r.prove(ctx, r.have.fields, r.spec.Region, r.spec.Endpoint)
	r.look = time.Now().Add(spread(recheck, 0.2))
	if err == nil {
		r.have.remark = ""
	}
	if kindOf(err) != refused || err == nil {
		r.rejected = 0
		return false
	}
	r.rejected++
	r.look = time.Now().Add(spread(5*time.Second, 0.2))
	return r.rejected >= rejections
}

// replace fetches new credentials, proves them, and hands them out when they are proven: a part of that a step.
func (r *awsReader) replace(ctx context.Context) (outcome, error) {
	if s := r.conn.current(); r.next != nil && s != nil && s != r.next.session {
		gone := r.next
		r.next = nil
		return outcome{quiet: true, replaced: r.leaseOf(gone)}, nil
	}
	if r.next == nil {
		c, err := r.fetch(ctx)
		if err != nil {
			return outcome{}, err
		}
		r.next = c
	}
	c := r.next
	err := r.prove(ctx, c.fields, r.spec.Region, r.spec.Endpoint)
	now := time.Now()
	age := now.Sub(c.issued)
	switch {
	case ctx.Err() != nil:
		return outcome{}, err
	case err == nil:
		if c.proofs++; c.proofs < r.needed() {
			return outcome{quiet: true, again: r.settle}, nil
		}
		return r.adopt(""), nil
	case age > settleLimit && kindOf(err) == refused, now.After(c.expires.Add(-c.full / 10)):
		r.next = nil // to be given back: it never worked, or is too old by now
		again := time.Minute / 2
		if r.have != nil && now.Before(r.have.expires) {
			again = 5 * time.Minute // each attempt makes a user
		}
		return outcome{replaced: r.leaseOf(c), again: spread(again, 0.2)}, err
	case kindOf(err) == refused: // a new user is not known everywhere at once
		c.proofs = 0
		return outcome{quiet: true, again: c.tries.next(5 * time.Second)}, nil
	case age > unprovenIn && (r.have == nil || now.After(r.have.expires.Add(-time.Minute))):
		return r.adopt(", not proven: " + err.Error()), nil // better than none
	}
	return outcome{}, err
}

// needed is how many proofs it takes: sts may know a new IAM user before others do, so there are two, some seconds
// apart. Temporary credentials work from the beginning.
func (r *awsReader) needed() int {
	if r.spec.Type == "" || r.spec.Type == "iam_user" {
		return 2
	}
	return 1
}

// adopt puts the next credentials in use.
func (r *awsReader) adopt(remark string) outcome {
	old, c := r.have, r.next
	r.have, r.next, r.rejected, c.remark = c, nil, 0, remark
	now := time.Now()
	left := c.expires.Sub(now)
	r.due = now.Add(replaceIn(left))
	if c.renewable {
		r.due = now.Add(renewIn(left))
	}
	r.look = now.Add(spread(recheck, 0.2))
	return outcome{
		again: max(0, min(time.Until(r.due), time.Until(r.look))),
		fresh: true, material: c.fields, expires: c.expires, replaced: r.leaseOf(old),
		note: c.note(),
	}
}

// note is what the status shows.
func (c *credential) note() string { return "of " + c.issued.UTC().Format(time.RFC3339) + c.remark }

func (r *awsReader) leaseOf(c *credential) []lease {
	if c == nil || c.lease == "" {
		return nil
	}
	return []lease{{r.conn, c.lease}}
}

// fetch asks Vault for credentials.
func (r *awsReader) fetch(ctx context.Context) (*credential, error) {
	path, query := clean(r.spec.Mount, "creds", r.spec.Role), map[string][]string{}
	if r.spec.Type != "" && r.spec.Type != "iam_user" {
		path = clean(r.spec.Mount, "sts", r.spec.Role)
		if r.spec.TTL > 0 {
			query["ttl"] = []string{r.spec.TTL.String()}
		}
		if r.spec.RoleARN != "" {
			query["role_arn"] = []string{r.spec.RoleARN}
		}
	}
	asked := time.Now() // a lease begins before its answer comes
	s, session, err := r.conn.read(ctx, path, query)
	if err != nil {
		return nil, err
	}
	c, err := parseCredential(path, s)
	if err != nil {
		return nil, err
	}
	c.session, c.issued, c.expires = session, asked, asked.Add(c.full)
	return c, nil
}

// parseCredential takes credentials from an answer. What is missing is an error, which says nothing of the rest.
func parseCredential(path string, s *api.Secret) (*credential, error) {
	c := &credential{fields: fields{}, lease: s.LeaseID, renewable: s.Renewable && s.LeaseID != ""}
	for name, from := range map[string][]string{
		"access_key": {"access_key"}, "secret_key": {"secret_key"}, "security_token": {"security_token", "session_token"},
	} {
		for _, f := range from {
			if v, _ := s.Data[f].(string); v != "" && c.fields[name] == nil {
				c.fields[name] = []byte(v)
			}
		}
	}
	if c.fields["access_key"] == nil || c.fields["secret_key"] == nil {
		return nil, shapef("read %s: the answer has no access_key and secret_key: is it an AWS engine?", path)
	}
	seconds := int64(s.LeaseDuration)
	if n, ok := s.Data["ttl"].(json.Number); ok && seconds <= 0 {
		seconds, _ = n.Int64() // 0 is refused below
	}
	if seconds <= 0 {
		return nil, shapef("read %s: the answer has no lease", path)
	}
	c.full = time.Duration(seconds) * time.Second
	return c, nil
}

// wake comes with each login: what was leased with the token before is replaced.
func (r *awsReader) wake(bool) <-chan struct{} { return r.up }

// patience is short while nobody answers. What is refused may have made a user that Vault has to remove again.
func (r *awsReader) patience(err error) time.Duration {
	if kindOf(err) == unreachable {
		return whileDown(err)
	}
	return time.Minute
}

func (r *awsReader) end() []lease { return append(r.leaseOf(r.have), r.leaseOf(r.next)...) }
