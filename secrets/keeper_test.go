package secrets

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func want(g *rig, secrets map[string]*gateway.Secret) {
	m := map[gateway.ID]*gateway.Secret{}
	for name, s := range secrets {
		m[id(name)] = s
	}
	g.Want(m)
	synctest.Wait()
}

func TestAKeyIsReadAndFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("app", map[string]any{"key": canary + "1"})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"app": kv("app")})
		if g.value("app", "value") != canary+"1" || g.value("app", "key") != canary+"1" {
			t.Errorf("the key is not there: %+v", g.status("app"))
		}
		time.Sleep(20 * time.Minute)
		if n := v.count("GET secret/data/app"); n != 1 {
			t.Errorf("it was read %d times while it did not change", n)
		}
		before := g.last[id("app")]
		v.put("app", map[string]any{"key": canary + "2"})
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if g.value("app", "value") != canary+"2" || g.last[id("app")] == before || g.status("app").Note != "version 2" {
			t.Errorf("the new version is not there: %+v", g.status("app"))
		}
		// The same content as another version is no news.
		n := g.tells()
		v.put("app", map[string]any{"key": canary + "2"})
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if g.tells() != n || g.status("app").Note != "version 3" {
			t.Errorf("the same content was published: %+v", g.status("app"))
		}
	})
}

func TestWhatIsInForceStaysWhateverVaultSays(t *testing.T) {
	answers := map[string]func(method, path string) *http.Response{
		"403":     func(string, string) *http.Response { return fault4(403, "permission denied") },
		"404":     func(string, string) *http.Response { return status(404, map[string]any{"errors": []string{}}) },
		"429":     func(string, string) *http.Response { return fault4(429, "quota exceeded") },
		"472":     func(string, string) *http.Response { return fault4(472, "") },
		"473":     func(string, string) *http.Response { return fault4(473, "") },
		"474":     func(string, string) *http.Response { return fault4(474, "") },
		"501":     func(string, string) *http.Response { return fault4(501, "Vault is not initialized") },
		"503":     func(string, string) *http.Response { return fault4(503, "Vault is sealed") },
		"530":     func(string, string) *http.Response { return fault4(530, "") },
		"html":    func(string, string) *http.Response { return status(200, []byte("<html>"+canary)) },
		"garbage": func(string, string) *http.Response { return status(200, []byte{0xff, 0, '{'}) },
		"half":    func(string, string) *http.Response { return status(200, []byte(`{"data":{"data":{"key":"`+canary)) },
		"empty":   func(string, string) *http.Response { return status(200, []byte(``)) },
		"null":    func(string, string) *http.Response { return status(200, []byte(`null`)) },
		"{}":      func(string, string) *http.Response { return status(200, []byte(`{}`)) },
		"types": func(string, string) *http.Response {
			return status(200, []byte(`{"data":{"current_version":1.5e400,"data":7,"metadata":[],"ttl":-1},"auth":{"lease_duration":-1}}`))
		},
		"reset": func(string, string) *http.Response { return &http.Response{} },
		"large": func(string, string) *http.Response {
			return status(200, []byte(`{"data":{"data":{"key":"`+strings.Repeat("x", maxAnswer)+`"}}}`))
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newFakeVault()
				v.put("app", map[string]any{"key": canary})
				v.v1["kv/old"] = map[string]any{"key": canary}
				g := start(t, v, nil)
				defer g.stop()
				want(g, map[string]*gateway.Secret{"app": kv("app"), "old": {VaultKV: &gateway.VaultKV{Mount: "kv", Path: "old", Version: 1, Interval: time.Minute}}})
				n := g.tells()
				v.do(func() { v.fail = answer })
				if name == "large" {
					time.Sleep(7 * time.Minute)
				} else {
					time.Sleep(time.Hour)
				}
				synctest.Wait()
				for _, s := range []string{"app", "old"} {
					if g.value(s, "key") != canary || g.tells() != n {
						t.Errorf("%s did not stay", s)
					}
					if st := g.status(s); st.State != Failing || st.LastError == "" || st.Version == "" {
						t.Errorf("the status says %+v", st)
					}
				}
				g.silent(t)
				v.do(func() { v.fail = nil })
				v.put("app", map[string]any{"key": canary + "new"})
				time.Sleep(6 * time.Minute)
				synctest.Wait()
				if g.value("app", "key") != canary+"new" || g.status("old").State != OK {
					t.Errorf("it does not recover: %+v", g.Status())
				}
			})
		})
	}
}

func TestAFrozenVaultChangesNothingAndIsBackInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("app", map[string]any{"key": canary})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"app": kv("app")})
		v.do(func() { v.hang = true })
		time.Sleep(3 * time.Hour) // the token is dead by then
		synctest.Wait()
		if g.value("app", "key") != canary || g.status("app").State != Failing {
			t.Errorf("status: %+v", g.status("app"))
		}
		v.put("app", map[string]any{"key": canary + "2"})
		v.do(func() { v.hang = false; clear(v.tokens) })
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if g.value("app", "key") != canary+"2" {
			t.Errorf("after 40 s: %+v %+v", g.status("app"), g.Connections())
		}
	})
}

func TestASecretThatIsDeletedOrOfTheWrongShapeStays(t *testing.T) {
	cases := map[string]struct {
		change func(*fakeVault)
		says   string
	}{
		"deleted":   {func(v *fakeVault) { v.kv["app"][0].deleted = "1999-01-01T00:00:00Z" }, "version 1 was deleted"},
		"destroyed": {func(v *fakeVault) { v.kv["app"][0].gone = true }, "version 1 was destroyed"},
		"path gone": {func(v *fakeVault) { delete(v.kv, "app") }, "404"},
		"field missing": {func(v *fakeVault) {
			v.kv["app"] = append(v.kv["app"], kvFake{data: map[string]any{"other": canary}, created: "x"})
		}, `no field "key"`},
		"not a string": {func(v *fakeVault) {
			v.kv["app"] = append(v.kv["app"], kvFake{data: map[string]any{"key": 7}, created: "x"})
		}, "not a string"},
		"empty": {func(v *fakeVault) {
			v.kv["app"] = append(v.kv["app"], kvFake{data: map[string]any{"key": ""}, created: "x"})
		}, "is empty"},
		"nothing at all": {func(v *fakeVault) { v.kv["app"] = append(v.kv["app"], kvFake{data: map[string]any{}, created: "x"}) }, `no field "key"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newFakeVault()
				v.put("app", map[string]any{"key": canary})
				g := start(t, v, nil)
				defer g.stop()
				s := kv("app")
				s.VaultKV.Field = "key"
				want(g, map[string]*gateway.Secret{"app": s})
				v.do(func() { c.change(v) })
				time.Sleep(6 * time.Minute)
				synctest.Wait()
				if g.value("app", "value") != canary || !strings.Contains(g.status("app").LastError, c.says) {
					t.Errorf("status: %+v", g.status("app"))
				}
			})
		})
	}
}

func TestDataIsReadWhereMetadataIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("app", map[string]any{"key": canary})
		v.fail = func(_, path string) *http.Response {
			if strings.HasPrefix(path, "secret/metadata/") {
				return fault4(403, "permission denied")
			}
			return nil
		}
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"app": kv("app")})
		time.Sleep(time.Second)
		v.put("app", map[string]any{"key": canary + "2"})
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if g.value("app", "key") != canary+"2" {
			t.Errorf("status: %+v", g.status("app"))
		}
	})
}

func TestWantKeepsForgetsAndReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newFakeVault()
		v.put("a", map[string]any{"key": canary + "a"})
		g := start(t, v, nil)
		defer g.stop()
		want(g, map[string]*gateway.Secret{"s": kv("a")})
		first := g.last[id("s")]
		// A changed block that cannot be read leaves the old one in force.
		want(g, map[string]*gateway.Secret{"s": kv("b")})
		time.Sleep(time.Minute)
		if g.value("s", "key") != canary+"a" || g.status("s").State != Failing {
			t.Errorf("status: %+v", g.status("s"))
		}
		v.put("b", map[string]any{"key": canary + "b"})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if g.value("s", "key") != canary+"b" || g.last[id("s")] == first || g.status("s").State != OK {
			t.Errorf("status: %+v", g.status("s"))
		}
		// What is not wanted stays for the grace; asked for again, its version is told again.
		want(g, nil)
		time.Sleep(4 * time.Minute)
		delete(g.last, id("s"))
		want(g, map[string]*gateway.Secret{"s": kv("b")})
		if g.last[id("s")] == "" || g.value("s", "key") != canary+"b" {
			t.Error("it was forgotten too early")
		}
		want(g, nil)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if _, ok := g.Reveal(id("s")); ok || len(g.Status()) > 0 {
			t.Error("it is still there")
		}
		if v, told := g.last[id("s")]; v != "" || !told {
			t.Error("whoever knows its version takes the same one, read again, for no news")
		}
		want(g, map[string]*gateway.Secret{"s": kv("b")})
		if g.last[id("s")] == "" || g.value("s", "key") != canary+"b" {
			t.Error("it is not read again")
		}
	})
}

func TestEnvAndUnknownConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, newFakeVault(), nil)
		defer g.stop()
		s := kv("app")
		s.VaultKV.Connection = "other"
		want(g, map[string]*gateway.Secret{
			"env": {Env: &gateway.EnvValue{Name: "KEY"}}, "none": {Env: &gateway.EnvValue{Name: "NO"}}, "empty": {}, "conn": s,
		})
		if g.value("env", "value") != canary {
			t.Error("the variable was not read")
		}
		for name, says := range map[string]string{"none": "NO is not set", "empty": "from nowhere", "conn": `"other"`} {
			if st := g.status(name); !strings.Contains(st.LastError, says) {
				t.Errorf("%s: %+v", name, st)
			}
		}
	})
}

func TestManySecretsAreOneLoginAndFewRequestsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		v := newFakeVault()
		v.delay = 10 * time.Millisecond
		all := map[string]*gateway.Secret{}
		for i := range n {
			name := fmt.Sprint("s", i)
			v.put(name, map[string]any{"key": canary + name})
			all[name] = kv(name)
		}
		g := start(t, v, nil)
		defer g.stop()
		want(g, all)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for name := range all {
			if g.value(name, "key") != canary+name {
				t.Fatalf("%s is not there: %+v", name, g.status(name))
			}
		}
		if logins := v.count("PUT auth/approle/login"); logins != 1 || v.most > parallelCalls {
			t.Errorf("%d logins, %d requests at a time", logins, v.most)
		}
		before := v.count("GET ")
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if per := (v.count("GET ") - before) / n; per < 5 || per > 7 {
			t.Errorf("%d looks at a secret in half an hour", per)
		}
	})
}
