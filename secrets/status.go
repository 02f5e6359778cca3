package secrets

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// State is how a secret is doing.
type State string

// The states.
const (
	Starting State = "starting" // nothing is known of it yet
	OK       State = "ok"
	Failing  State = "failing" // the last look failed; what was read before is in force
	Expired  State = "expired" // its lease has ended, and there is no other
	Unwanted State = "unwanted"
)

// Status is one secret at one moment. It holds nothing secret.
type Status struct {
	ID        gateway.ID
	Source    string // where it comes from: "vault secret/data/app#key"
	State     State
	Version   string        // opaque; "" while there is none, or it has expired
	Note      string        // which one it is, in its source's words: "version 3"
	Since     time.Time     // when Version came into force
	Age       time.Duration // since the source last answered; 0 with State Starting: never
	Expires   time.Time     // end of its lease; zero: never
	Renews    time.Time     // when it is looked at, renewed or replaced next
	LastError string        // of the last look; "" when it went well
	ErrSince  time.Time     // since when that error is the last one
	Renewals  uint64        // leases given more time
	Rotations uint64        // changes of material
	Errors    uint64
}

// Status returns all secrets, by name.
func (k *Keeper) Status() []Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	var out []Status
	for id, e := range k.entries {
		s := Status{
			ID: id, Source: source(e.feed.spec), State: e.state(), Version: e.version, Note: e.note, Since: e.since,
			Expires: e.expires, Renews: e.renews, LastError: errText(e.err),
		}
		if e.next != nil {
			s.Source += ", to be replaced by " + source(e.next.spec)
		}
		if !e.contact.IsZero() {
			s.Age = now.Sub(e.contact)
		}
		if e.err != nil {
			s.ErrSince = e.errSince
		}
		if e.expired {
			s.Version = ""
		}
		if c := k.counts[id]; c != nil {
			s.Renewals, s.Rotations, s.Errors = c.renewals, c.rotations, c.errors
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Status) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return out
}

func (e *entry) state() State {
	switch {
	case !e.unwanted.IsZero():
		return Unwanted
	case e.expired:
		return Expired
	case e.err != nil:
		return Failing
	case e.version == "":
		return Starting
	}
	return OK
}

// source is where a secret comes from, in a line.
func source(s *gateway.Secret) string {
	named := func(connection string) string {
		if connection != "" {
			return "vault " + connection + " "
		}
		return "vault "
	}
	switch {
	case s.VaultKV != nil:
		v := s.VaultKV
		path := clean(v.Mount, "data", v.Path)
		if v.Version == 1 {
			path = clean(v.Mount, v.Path)
		}
		if v.Field != "" {
			path += "#" + v.Field
		}
		return named(v.Connection) + path
	case s.VaultAWS != nil:
		v := s.VaultAWS
		if v.Type == "" || v.Type == "iam_user" {
			return named(v.Connection) + clean(v.Mount, "creds", v.Role)
		}
		return named(v.Connection) + clean(v.Mount, "sts", v.Role)
	case s.File != nil:
		if s.File.Field != "" {
			return "file " + s.File.Path + "#" + s.File.Field
		}
		return "file " + s.File.Path
	case s.Env != nil:
		return "env " + s.Env.Name
	case s.Mesh != nil && s.Mesh.Connection != "":
		return "mesh of consul " + s.Mesh.Connection
	case s.Mesh != nil:
		return "mesh of consul"
	}
	return "nowhere"
}

// Connection is one Vault at one moment.
type Connection struct {
	Name      string
	Address   string
	Namespace string
	Method    string    // of logging in
	LoggedIn  bool      // there is a token that Vault took last
	Since     time.Time // of the login
	Expires   time.Time // of the token; zero: never, or not logged in
	LastError string    // of the last login
}

// Connections returns all connections to Vault, by name. One that no secret uses is not logged in.
func (k *Keeper) Connections() []Connection {
	var out []Connection
	for _, name := range slices.Sorted(maps.Keys(k.conns)) {
		c := k.conns[name]
		s, _, err := c.state()
		one := Connection{
			Name: name, Address: c.cfg.Address, Namespace: c.cfg.Namespace, Method: c.cfg.Auth.Method(),
			LoggedIn: s != nil, LastError: errText(err),
		}
		if s != nil {
			one.Since, one.Expires = s.born, s.ends()
		}
		out = append(out, one)
	}
	return out
}
