package control

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/xds/server"
	"github.com/sluice-gateway/sluice/xds/store"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// settledSecrets remembers what was said to be settled.
type settledSecrets struct{ said map[gateway.ID]string }

func (s *settledSecrets) Want(map[gateway.ID]*gateway.Secret) {}

func (s *settledSecrets) Settled(versions map[gateway.ID]string) {
	maps.Copy(s.said, versions)
}

// lease is a loop whose Envoys sign with a secret.
type lease struct {
	*steps
	secrets settledSecrets
	good    bool // the material can be used
}

var (
	awsSecret = gateway.ID{Kind: gateway.KindSecret, Name: "aws"}
	mathSign  = store.Key{Type: translate.ExtensionType, Name: "signer/math"}
)

func newLease(t *testing.T) *lease {
	l := &lease{secrets: settledSecrets{map[gateway.ID]string{}}, good: true}
	n := byte('a')
	l.steps = newSteps(t, func(cfg *Config) {
		cfg.Secrets = &l.secrets
		cfg.Translator = cfg.Translator.WithReveal(func(gateway.ID) (gateway.Material, bool) {
			n++ // each version has other bytes
			key := "access_key"
			if !l.good {
				key = "key"
			}
			return gateway.NewMaterial(map[string][]byte{key: {n}, "secret_key": {n}}), true
		})
	})
	l.put("base.hcl", base+route("old", "/old"))
	l.put("math.hcl", lambdas)
	return l
}

func (l *lease) version(v string) {
	l.SecretVersions(map[gateway.ID]string{awsSecret: v})
	l.drain()
}

// has tells that an Envoy has the signer as it is published now.
func (l *lease) has(n server.Node) {
	l.t.Helper()
	r := l.st.Get(mathSign)
	if r == nil {
		l.t.Fatal("there is no signer")
	}
	l.Acked(n, []server.Versioned{{Key: mathSign, Version: r.Version}})
	l.drain()
}

func (l *lease) expect(want, when string) {
	l.t.Helper()
	l.drain()
	if got := l.secrets.said[awsSecret]; got != want {
		l.t.Errorf("%s: settled is %q, want %q", when, got, want)
	}
}

func TestASecretIsSettledWhenEveryEnvoyHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(t)
		one, two := server.Node{Stream: 1, ID: "one", Gateway: "edge"}, server.Node{Stream: 2, ID: "two", Gateway: "edge"}
		l.version("1")
		l.expect("1", "without an Envoy")
		l.Connected(one)
		l.Connected(two)
		l.Connected(server.Node{Stream: 3, ID: "three", Gateway: "other"})
		l.has(one)
		l.has(two)
		l.version("2")
		l.expect("1", "before anybody answers")
		l.has(one)
		l.expect("1", "when one has it")
		l.has(two)
		l.expect("2", "when both have it")
	})
}

func TestAnEnvoyThatIsAwayMaySignWithWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(t)
		one := server.Node{Stream: 1, ID: "one", Gateway: "edge"}
		l.Connected(one)
		l.version("1")
		l.has(one)
		l.expect("1", "at first")
		old := l.st.Get(mathSign).Version

		l.Disconnected(one)
		l.version("2")
		l.expect("1", "while it is away")
		time.Sleep(time.Minute)
		again := server.Node{Stream: 2, ID: "one", Gateway: "edge"}
		l.Connected(again)
		l.Acked(again, []server.Versioned{{Key: mathSign, Version: old}}) // what it brought along
		l.expect("1", "when it is back with the old one")
		l.has(again)
		l.expect("2", "when it has the new one")

		// It comes back before its old stream is noticed to have ended.
		newer := server.Node{Stream: 3, ID: "one", Gateway: "edge"}
		l.Connected(newer)
		l.Disconnected(again)
		l.version("3")
		l.has(newer)
		l.expect("3", "on the other stream")

		l.Disconnected(newer)
		l.version("4")
		time.Sleep(awayFor - time.Second)
		l.expect("3", "while it may come back")
		if d := l.settling.next(); d <= 0 || d > time.Second {
			t.Errorf("the loop looks again in %s", d)
		}
		time.Sleep(2 * time.Second)
		l.expect("4", "when it is gone for good")
	})
}

func TestMaterialThatNobodyCanUseSettlesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(t)
		one := server.Node{Stream: 1, ID: "one", Gateway: "edge"}
		l.Connected(one)
		l.version("1")
		l.has(one)
		l.good = false
		l.version("2")
		l.has(one)
		l.expect("1", "while the Envoy signs with what was before")
		l.good = true
		l.version("3")
		l.has(one)
		l.expect("3", "with good material")
		l.version("")
		l.version("3")
		l.has(one)
		l.expect("3", "after it had expired")
		l.put("math.hcl", "")
		if len(l.settling.carry)+len(l.settling.of) > 0 {
			t.Errorf("what is gone is remembered: %v", l.settling.carry)
		}
	})
}
