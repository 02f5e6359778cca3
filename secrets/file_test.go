package secrets

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

// fileKeeper runs a Keeper of one file.
func fileKeeper(t *testing.T, spec *gateway.FileValue) *Keeper {
	t.Helper()
	log := &lockedBuffer{}
	k, err := New(Config{Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: log})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if strings.Contains(log.String(), canary) {
			t.Errorf("the log holds a secret: %s", log.String())
		}
	})
	k.Want(map[gateway.ID]*gateway.Secret{id("file"): {File: spec}})
	return k
}

func eventually(t *testing.T, check func() bool, k *Keeper) {
	t.Helper()
	testenv.Eventually(t, 15*time.Second, func() error {
		if !check() {
			return shapef("%+v", k.Status())
		}
		return nil
	})
}

func TestAFileIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := fileKeeper(t, &gateway.FileValue{Path: path})
	value := func(field string) string {
		m, _ := k.Reveal(id("file"))
		v, _ := m.Reveal(field)
		return string(v)
	}
	failing := func(says string) func() bool {
		return func() bool {
			s := k.Status()
			return len(s) == 1 && s[0].State == Failing && strings.Contains(s[0].LastError, says)
		}
	}
	eventually(t, failing("no such file"), k)
	write(canary + " 1\n")
	eventually(t, func() bool { return value("value") == canary+" 1" }, k)
	write("")
	eventually(t, failing("empty"), k)
	if value("value") != canary+" 1" {
		t.Error("an empty file took the value away")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, failing("no such file"), k)
	write(canary + " 2")
	eventually(t, func() bool { return value("value") == canary+" 2" }, k)
	write(strings.Repeat("x", maxFile+1))
	eventually(t, failing("larger than"), k)
	if value("value") != canary+" 2" {
		t.Error("a large file took the value away")
	}
}

func TestAFileThatIsALinkToALinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": canary + "a", "b": canary + "b"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "keys"), []byte(`{"access_key":"x","secret_key":"`+text+`","n":7}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, at string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, at+".new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, at+".new"), filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	link("a", "data")
	link("data/keys", "keys")
	k := fileKeeper(t, &gateway.FileValue{Path: filepath.Join(dir, "keys"), JSON: true})
	has := func(text string) func() bool {
		return func() bool {
			m, _ := k.Reveal(id("file"))
			v, _ := m.Reveal("secret_key")
			_, one := m.Reveal("value")
			return string(v) == text && !one
		}
	}
	eventually(t, has(canary+"a"), k)
	link("b", "data")
	eventually(t, has(canary+"b"), k)
}

func TestParseFile(t *testing.T) {
	for name, c := range map[string]struct {
		spec gateway.FileValue
		text string
		says string // of the error
		want map[string]string
	}{
		"plain":        {gateway.FileValue{}, "a b\n", "", map[string]string{"value": "a b"}},
		"crlf":         {gateway.FileValue{}, "a\r\n", "", map[string]string{"value": "a"}},
		"two newlines": {gateway.FileValue{}, "a\n\n", "", map[string]string{"value": "a\n"}},
		"plain field":  {gateway.FileValue{Field: "x"}, "a", "json = true", nil},
		"one":          {gateway.FileValue{JSON: true}, `{"k":"a"}`, "", map[string]string{"k": "a", "value": "a"}},
		"chosen":       {gateway.FileValue{JSON: true, Field: "k"}, `{"k":"a","l":"b"}`, "", map[string]string{"k": "a", "l": "b", "value": "a"}},
		"list":         {gateway.FileValue{JSON: true}, `["` + canary + `"]`, "not one JSON object", nil},
		"null":         {gateway.FileValue{JSON: true}, `null`, "not one JSON object", nil},
		"half":         {gateway.FileValue{JSON: true}, `{"k":"` + canary, "half written", nil},
		"number":       {gateway.FileValue{JSON: true, Field: "k"}, `{"k":7}`, "not a string", nil},
		"missing":      {gateway.FileValue{JSON: true, Field: "m"}, `{"k":"` + canary + `"}`, `no field "m"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseFile(&c.spec, []byte(c.text))
			if (err != nil) != (c.says != "") || err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), canary)) {
				t.Fatalf("the error is %v", err)
			}
			if len(got) != len(c.want) {
				t.Errorf("%d fields, not %d", len(got), len(c.want))
			}
			for f, v := range c.want {
				if string(got[f]) != v {
					t.Errorf("%s is %q", f, got[f])
				}
			}
		})
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(`{"k":"a"}`), true, "k")
	f.Add([]byte("a\n"), false, "")
	f.Fuzz(func(t *testing.T, b []byte, isJSON bool, field string) {
		got, err := parseFile(&gateway.FileValue{JSON: isJSON, Field: field}, b)
		if err == nil && len(got) == 0 {
			t.Error("neither fields nor an error")
		}
		for name, v := range got {
			if len(v) == 0 {
				t.Errorf("the field %q is empty", name)
			}
		}
	})
}
