package static

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			s, err := Kind().Open(&Spec{Endpoints: []string{"10.0.0.1:80", "[2001:db8::1]:80"}})
			if err != nil {
				t.Fatal(err)
			}
			return s, nil
		},
		Patience: time.Second,
	})
}

func TestList(t *testing.T) {
	s := &Spec{
		Endpoints: []string{"10.0.0.10:80", "10.0.0.9:80", "[::ffff:10.0.0.2]:80"}, Address: "2001:db8::1", Port: 443,
		Entries: []*Endpoint{{At: "10.0.0.1:81", Weight: 3, Tags: []string{"v2", "a", "v2"}, Meta: map[string]string{"k": "v"}, Zone: "z"}},
	}
	got, err := s.list()
	want := []gateway.Endpoint{
		{ID: "10.0.0.1:81", Address: "10.0.0.1", Port: 81, Weight: 3, Tags: []string{"a", "v2"}, Meta: map[string]string{"k": "v"}, Locality: gateway.Locality{Zone: "z"}},
		{ID: "10.0.0.2:80", Address: "10.0.0.2", Port: 80},
		{ID: "10.0.0.9:80", Address: "10.0.0.9", Port: 80},
		{ID: "10.0.0.10:80", Address: "10.0.0.10", Port: 80},
		{ID: "[2001:db8::1]:443", Address: "2001:db8::1", Port: 443},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestSourceKey(t *testing.T) {
	a := &Spec{Endpoints: []string{"10.0.0.1:80", "10.0.0.2:80"}}
	b := &Spec{Endpoints: []string{"10.0.0.2:80"}, Address: "10.0.0.1", Port: 80}
	c := &Spec{Endpoints: []string{"10.0.0.1:80"}, Entries: []*Endpoint{{At: "10.0.0.2:80", Weight: 2}}}
	if a.SourceKey() != b.SourceKey() {
		t.Errorf("%v, %v", a.SourceKey(), b.SourceKey())
	}
	if a.SourceKey() == c.SourceKey() {
		t.Error("a weight is not in the key")
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string // summary and a piece of the detail
	}{
		{Spec{Endpoints: []string{"10.0.0.1:80"}}, ""},
		{Spec{Address: "::1", Port: 80}, ""},
		{Spec{Entries: []*Endpoint{{At: "10.0.0.1:80"}}}, ""},
		{Spec{}, "No endpoints: endpoints ="},
		{Spec{Address: "10.0.0.1"}, "Missing port: port"},
		{Spec{Port: 80}, "Missing address: address"},
		{Spec{Address: "shop.internal", Port: 80}, `Invalid endpoint: dns block with name = "shop.internal"`},
		{Spec{Endpoints: []string{"shop.internal:80"}}, `Invalid endpoint: dns block with name = "shop.internal" and port = 80`},
		{Spec{Endpoints: []string{"10.0.0.1"}}, "Invalid endpoint: like 10.0.0.1:8080"},
		{Spec{Endpoints: []string{"::1"}}, "Invalid endpoint: like [::1]:8080"},
		{Spec{Endpoints: []string{"10.0.0.1:99999"}}, "Invalid endpoint: from 1 to 65535"},
		{Spec{Endpoints: []string{"10.0.0.1:0"}}, "Invalid endpoint: from 1 to 65535"},
		{Spec{Endpoints: []string{""}}, "Invalid endpoint: no IP address"},
		{Spec{Endpoints: []string{"10.0.0.1:80"}, Entries: []*Endpoint{{At: "10.0.0.1:80"}}}, "Duplicate endpoint: twice"},
	} {
		diags := c.spec.Check(map[string]hcl.Range{})
		if c.want == "" {
			if len(diags) != 0 {
				t.Errorf("%+v: %v", c.spec, diags)
			}
			continue
		}
		summary, detail, _ := strings.Cut(c.want, ": ")
		if len(diags) != 1 || diags[0].Summary != summary || !strings.Contains(diags[0].Detail, detail) {
			t.Errorf("%+v: %v, want %s", c.spec, diags, c.want)
		}
	}
}
