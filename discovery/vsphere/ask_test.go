package vsphere

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	v.AddVM(t, shop, "shop-1", "10.0.0.1")
	v.AddVM(t, shop, "shop-2", "10.0.0.2")
	v.AddVM(t, "/DC0/vm", "lone", "10.0.0.3")
	v.PowerOff(t, v.AddVM(t, "/DC0/vm/off", "off", "10.0.0.4"))
	found, err := Kind(quick(configOf(v, ""))).Discover(t.Context())
	if err != nil || len(found) != 2 {
		t.Fatalf("%v: %+v", err, found)
	}
	if f := found[0]; f.Name != "DC0" || f.Count != 1 {
		t.Errorf("%+v", f)
	}
	f := found[1]
	if s := f.Spec.(*Spec); f.Name != "shop" || f.Count != 2 || s.Folder != shop || s.Check(nil).HasErrors() || !strings.Contains(f.Note, "shop-1, shop-2") {
		t.Errorf("%+v, %+v", f, s)
	}
	for _, c := range []struct {
		spec gateway.SourceSpec
		want bool
	}{
		{&Spec{Folder: shop, Port: 9000}, true},
		{&Spec{Folder: "/DC0/vm", Connection: "east"}, true},
		{&Spec{Name: "shop-*"}, true},
		{&Spec{Name: "shop-1"}, false},
		{&Spec{Folder: shop, Connection: "west"}, false},
		{&Spec{Folder: "/DC0/vm/none"}, false},
	} {
		if got := f.Covered(c.spec); got != c.want {
			t.Errorf("%+v: %t", c.spec, got)
		}
	}
	if n := v.Sessions(t); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	wrong := configOf(v, "")
	wrong.Password = "canary-wrong"
	if found, err := Kind(quick(wrong)).Discover(t.Context()); err == nil || len(found) != 0 || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v, %+v", err, found)
	}
}

// failures are the findings that are not well.
func failures(t *testing.T, all []discovery.Finding) (out []string) {
	t.Helper()
	for _, f := range all {
		if !strings.HasPrefix(f.Check, "vsphere east: ") {
			t.Errorf("the check does not name its system: %q", f.Check)
		}
		if f.OK != (f.Err == nil) || f.OK != (f.Need == "") {
			t.Errorf("%+v", f)
		}
		if !f.OK {
			if text := f.Check + f.Err.Error() + f.Need; strings.Contains(text, "canary") {
				t.Errorf("a secret is in %q", text)
			}
			out = append(out, strings.TrimPrefix(f.Check, "vsphere east: ")+": "+f.Err.Error())
		}
	}
	return out
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	a := v.AddVM(t, shop, "a", "10.0.0.1")
	v.Tag(t, a, "env", "production")
	k := Kind(quick(configOf(v, "")))
	good := []gateway.SourceSpec{&Spec{Folder: shop, Tags: []string{"env:production"}, Port: 80}}
	all := k.Doctor(t.Context(), good)
	// The certificate of the test ends soon, and nothing else is wrong.
	if got := failures(t, all); len(got) != 1 || !strings.Contains(got[0], "the certificate is good until") || len(all) != 12 {
		t.Errorf("%d findings, %q", len(all), got)
	}
	if n := v.Sessions(t); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if got := k.Doctor(t.Context(), nil); len(got) != 9 {
		t.Errorf("%d findings without documents", len(got))
	}
	b := v.AddVM(t, shop, "b", "10.0.0.2")
	v.ClearIP(t, b)
	got := failures(t, k.Doctor(t.Context(), []gateway.SourceSpec{
		&Spec{Folder: shop, Port: 80}, &Spec{Folder: "/DC0/vm/none", Port: 80}, &Spec{Name: "x", Port: 80}, &Spec{Tags: []string{"env:none"}, Port: 80},
	}))
	for _, want := range []string{
		"without a usable address: b (VMware Tools do not run)", "folder /DC0/vm/none: it does not exist",
		"no running machine is what the block asks for", "tag env:none: it does not exist",
	} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("nothing says %q:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestDoctorOfWhatCannotBeAsked(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"wrong password":    {func(c *Config) { c.Password = "canary" }, "the user name or the password is wrong"},
		"wrong authority":   {func(c *Config) { c.CAFile = testenv.WriteCertificates(t, t.TempDir()) }, "certificate"},
		"nobody there":      {func(c *Config) { c.Address = "127.0.0.1:1" }, "refused"},
		"no credentials":    {func(c *Config) { c.Username = "" }, "no username or password"},
		"missing authority": {func(c *Config) { c.CAFile = "/nowhere" }, "no such file"},
	} {
		cfg := configOf(v, "")
		c.change(&cfg)
		got := failures(t, Kind(quick(cfg)).Doctor(t.Context(), nil))
		if len(got) == 0 || !strings.Contains(got[len(got)-1], c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := failures(t, Kind(quick(configOf(v, ""))).Doctor(t.Context(), nil)); len(got) != 2 || !strings.Contains(got[1], "none is visible") {
		t.Errorf("an empty inventory: %q", got)
	}
}

// A thumbprint stands for an authority, and a wrong one does not.
func TestThumbprint(t *testing.T) {
	t.Parallel()
	v := testenv.StartVCenter(t)
	v.AddVM(t, shop, "a", "10.0.0.1")
	text, err := os.ReadFile(filepath.Join(filepath.Dir(v.CAFile), "server.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	sum := sha256.Sum256(block.Bytes)
	cfg := configOf(v, "")
	cfg.CAFile, cfg.Thumbprint = "", strings.ToUpper(hex.EncodeToString(sum[:]))
	if err := cfg.Check(); err != nil {
		t.Error(err)
	}
	if _, err := look(t.Context(), quick(cfg).withDefaults(), cfg); err != nil {
		t.Error(err)
	}
	cfg.Thumbprint = strings.Repeat("AB", 20)
	if _, err := look(t.Context(), quick(cfg).withDefaults(), cfg); err == nil || !strings.Contains(err.Error(), "thumbprint is") {
		t.Errorf("%v", err)
	}
}

// The shipped role is what the doctor asks for.
func TestRole(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("role.sh")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\ngovc role.create sluice-discovery " + strings.Join(readPrivileges, " ") + "\n"; !strings.Contains(string(text), want) {
		t.Errorf("role.sh lacks %q", want)
	}
}
