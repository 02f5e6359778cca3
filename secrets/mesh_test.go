package secrets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// fakeMesh says to each Watch what a test sends, and counts those that run.
type fakeMesh struct {
	say     chan func(update func(Identity), alive func(), failed func(error))
	running int
}

func (m *fakeMesh) find(connection string) (Watch, error) {
	if connection == "none" {
		return nil, errors.New(`no consul connection is named "none"`)
	}
	return func(ctx context.Context, update func(Identity), alive func(), failed func(error)) {
		m.running++
		defer func() { m.running-- }()
		for {
			select {
			case <-ctx.Done():
				return
			case say := <-m.say:
				say(update, alive, failed)
			}
		}
	}, nil
}

func (m *fakeMesh) leaf(n int, life time.Duration) {
	m.say <- func(update func(Identity), _ func(), _ func(error)) {
		update(Identity{
			Fields:  map[string][]byte{"private_key": fmt.Appendf(nil, "%s%d", canary, n), "name": []byte("spiffe://d/svc/sluice")},
			Expires: time.Now().Add(life), Note: fmt.Sprintf("leaf %d", n),
		})
	}
	synctest.Wait()
}

func meshSecret(connection string) map[string]*gateway.Secret {
	id := gateway.MeshSecret(connection)
	return map[string]*gateway.Secret{id.Name: {Name: id.Name, Mesh: &gateway.MeshIdentity{Connection: connection}}}
}

// TestAnIdentityIsHandedOn has an identity replaced, its source lost and found, and its end come without another.
func TestAnIdentityIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMesh{say: make(chan func(func(Identity), func(), func(error)))}
		g := start(t, newFakeVault(), func(c *Config) { c.Mesh = m.find })
		defer g.stop()
		want(g, meshSecret(""))
		name := gateway.MeshSecret("").Name
		if s := g.status(name); s.State != Starting || s.Source != "mesh of consul" {
			t.Errorf("before anything is known: %+v", s)
		}
		m.leaf(1, time.Hour)
		if s := g.status(name); s.State != OK || s.Note != "leaf 1" || time.Until(s.Expires) != time.Hour || g.value(name, "private_key") != canary+"1" {
			t.Errorf("the first leaf: %+v", s)
		}
		told := g.tells()
		m.leaf(2, time.Hour)
		if s := g.status(name); s.Note != "leaf 2" || s.Rotations != 1 || g.tells() != told+1 || g.value(name, "private_key") != canary+"2" {
			t.Errorf("the second leaf: %+v", s)
		}
		m.say <- func(_ func(Identity), _ func(), failed func(error)) { failed(errors.New("the agent is away")) }
		synctest.Wait()
		if s := g.status(name); s.State != Failing || s.LastError != "the agent is away" || g.value(name, "private_key") != canary+"2" {
			t.Errorf("without the agent: %+v", s)
		}
		m.say <- func(_ func(Identity), alive func(), _ func(error)) { alive() }
		synctest.Wait()
		if s := g.status(name); s.State != OK || g.tells() != told+1 {
			t.Errorf("with it again: %+v", s)
		}
		m.say <- func(update func(Identity), _ func(), failed func(error)) {
			update(Identity{Fields: map[string][]byte{"private_key": []byte(canary + "3")}, Expires: time.Now().Add(time.Hour)})
			failed(errors.New("the roots are away"))
		}
		synctest.Wait()
		if s := g.status(name); s.State != Failing || g.value(name, "private_key") != canary+"3" {
			t.Errorf("a leaf and an error at once: %+v", s)
		}
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		if s := g.status(name); s.State != Expired || g.last[gateway.MeshSecret("")] != "" {
			t.Errorf("past its end: %+v", s)
		}
		m.leaf(4, time.Hour)
		if s := g.status(name); s.State != OK || g.last[gateway.MeshSecret("")] == "" {
			t.Errorf("after that: %+v", s)
		}
		want(g, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if m.running != 0 {
			t.Error("nobody wants it, and it is watched")
		}
	})
}

func TestAnIdentityThatNobodyGives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for connection, c := range map[string]struct {
			change func(*Config)
			says   string
		}{
			"":     {nil, "no consul is configured"},
			"none": {func(c *Config) { c.Mesh = (&fakeMesh{}).find }, `no consul connection is named "none"`},
		} {
			g := start(t, newFakeVault(), c.change)
			want(g, meshSecret(connection))
			if s := g.status(gateway.MeshSecret(connection).Name); s.State != Failing || !strings.Contains(s.LastError, c.says) {
				t.Errorf("%q: %+v", connection, s)
			}
			g.stop()
		}
	})
}

func TestIdentitiesAreNotPrinted(t *testing.T) {
	i := Identity{Fields: map[string][]byte{"private_key": []byte(canary)}}
	if text := fmt.Sprintf("%v %+v %#v %s", i, &i, i, i); strings.Contains(text, canary) {
		t.Error(text)
	}
}
