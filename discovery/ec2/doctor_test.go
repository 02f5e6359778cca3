package ec2

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// identities answers who somebody is, or that it does not know.
func identities(t testing.TB, known *bool) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !*known {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/sluice</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestDoctor(t *testing.T) {
	f := startFake(t)
	rows := numbered(5)
	rows[3].public, rows[4].public = "", ""
	f.put(rows...)
	known := true
	opts := hasty(t)
	opts.STS = map[string]string{"main": identities(t, &known)}
	fine, public := shop(f.URL), shop(f.URL)
	fine.StatusChecks, fine.Interval = true, time.Minute
	public.Address, public.Interval = "public", time.Minute
	ask := func(specs ...gateway.SourceSpec) (said []string, all []discovery.Finding) {
		t.Helper()
		for _, x := range Kind(opts).Doctor(t.Context(), specs) {
			text := x.Check
			if !x.OK {
				text = fmt.Sprintf("%s: %v: %s", x.Check, x.Err, x.Need)
			}
			if x.OK != (x.Need == "") || x.OK != (x.Err == nil) || strings.Contains(text, canary) {
				t.Errorf("%+v", x)
			}
			said, all = append(said, text), append(all, x)
		}
		return said, all
	}
	said, _ := ask(fine, public)
	want := []string{
		"ec2 us-east-1: the credentials are arn:aws:iam::1:user/sluice",
		"ec2 us-east-1: ec2:DescribeInstances",
		"ec2 us-east-1: list all instances: 5 of them, 1 pages, 4 calls a minute",
		"ec2 us-east-1: ec2:DescribeInstanceStatus",
		"ec2 us-east-1: 5 endpoints of " + fine.SourceKey().Query,
		"ec2 us-east-1: 3 endpoints of " + public.SourceKey().Query + ": " + rows[3].id + " has no public address, " + rows[4].id +
			" has no public address: that address and tag on each instance, or tags and filters that leave it out",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		fault fault
		need  string
	}{
		{fault{code: "UnauthorizedOperation", status: 403}, `{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}`},
		{fault{code: "RequestLimitExceeded"}, "fewer calls by all who use the account"},
		{fault{code: "RequestExpired", status: 400}, "a clock that is right"},
		{fault{code: "AuthFailure", status: 401}, "credentials that exist"},
		{fault{hang: true}, "a way to the endpoint"},
		{fault{action: "DescribeInstanceStatus", code: "UnauthorizedOperation", status: 403}, `"ec2:DescribeInstanceStatus"`},
	} {
		f.fail(c.fault)
		said, _ := ask(fine)
		if text := strings.Join(said, "\n"); !strings.Contains(text, c.need) {
			t.Errorf("%+v: the doctor says %s", c.fault, text)
		}
	}
	f.mend()
	known = false
	calls := f.called("DescribeInstances")
	if said, _ = ask(fine); len(said) != 1 || !strings.Contains(said[0], "InvalidClientTokenId") || f.called("DescribeInstances") != calls {
		t.Errorf("credentials that nobody knows: %q", said)
	}
	other := shop(f.URL)
	other.Connection = "other"
	if said, _ = ask(other); len(said) != 1 || !strings.Contains(said[0], `no aws connection is named "other"`) {
		t.Errorf("a connection that is not there: %q", said)
	}
	// Without blocks, of what the connections need to be of use.
	known = true
	if said, _ = ask(); len(said) != 1 || !strings.Contains(said[0], "no region is configured") {
		t.Errorf("no region: %q", said)
	}
	opts.Connections["main"] = at(opts.Connections["main"], f.URL)
	if said, _ = ask(); len(said) != 4 || !strings.HasPrefix(said[3], "ec2 us-east-1 by main: ec2:DescribeInstanceStatus") {
		t.Errorf("no blocks: %q", said)
	}
}

// at is a connection to a fake.
func at(cfg aws.Config, url string) aws.Config {
	cfg.Region, cfg.BaseEndpoint = "us-east-1", aws.String(url)
	return cfg
}

// A clock that is wrong is found out by the answer.
func TestDoctorComparesClocks(t *testing.T) {
	f := startFake(t)
	f.Set(1)
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		f.answer(w, r)
	}))
	defer late.Close()
	for _, x := range Kind(hasty(t)).Doctor(t.Context(), []gateway.SourceSpec{shop(late.URL)}) {
		if !x.OK && strings.Contains(x.Err.Error(), "1h0m") && strings.Contains(x.Need, "NTP") {
			return
		}
	}
	t.Error("the doctor says nothing of a clock that is an hour late")
}

func TestDiscover(t *testing.T) {
	f := startFake(t)
	tagged := func(n int, state string, tags ...string) row {
		r := row{id: fmt.Sprintf("i-%02d", n), state: state, private: fmt.Sprintf("10.0.0.%d", n), zone: "us-east-1" + string(rune('a'+n%2)), kind: "c7g.large", tags: map[string]string{}}
		for i := 0; i+1 < len(tags); i += 2 {
			r.tags[tags[i]] = tags[i+1]
		}
		return r
	}
	f.put(
		tagged(1, "", "service", "shop", "port", "80"), tagged(2, "", "service", "shop", "port", "81"), tagged(3, "stopped", "service", "shop"),
		tagged(4, "", "aws:autoscaling:groupName", "Web Tier", "Name", "x"),
		tagged(5, "", "Name", "db-1"), tagged(6, "", "Name", "db-2"), tagged(7, "", "Name", "a*"), tagged(8, ""),
		tagged(9, "", "Name", "app-1"), tagged(10, "", "Name", "app-2"), tagged(11, "", "Name", "app-x"),
	)
	opts := hasty(t)
	opts.Connections["main"] = at(opts.Connections["main"], f.URL)
	found, err := Kind(opts).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, x := range found {
		s := x.Spec.(*Spec)
		said = append(said, fmt.Sprintf("%s %d %v port=%d%s: %s", x.Name, x.Count, s.Tags, s.Port, s.PortTag, x.Note))
		if diags := s.Check(nil); diags.HasErrors() {
			t.Errorf("%s: %v", x.Name, diags)
		}
		if !x.Covered(s) || x.Covered(&Spec{Region: "us-east-2", Tags: s.Tags}) || x.Covered(&Spec{Region: s.Region, Tags: map[string]string{"none": "x"}}) {
			t.Errorf("%s: who lists it is not known", x.Name)
		}
	}
	const guess = "us-east-1%s, c7g.large; EC2 knows no ports, 80 is a guess"
	want := []string{
		`a 1 map[Name:a\*] port=80: in ` + fmt.Sprintf(guess, "b"),
		"app-1 1 map[Name:app-1] port=80: in " + fmt.Sprintf(guess, "b"),
		"app-2 1 map[Name:app-2] port=80: in " + fmt.Sprintf(guess, "a"),
		"app-x 1 map[Name:app-x] port=80: in " + fmt.Sprintf(guess, "b"),
		"db 2 map[Name:db-*] port=80: in us-east-1a " + fmt.Sprintf(guess, "b"),
		"shop 2 map[service:shop] port=0port: in us-east-1a us-east-1b, c7g.large",
		"web-tier 1 map[aws:autoscaling:groupName:Web Tier] port=80: in " + fmt.Sprintf(guess, "a"),
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	// What one connection has is told beside the failure of another.
	opts.Connections["second"] = aws.Config{Credentials: opts.Connections["main"].Credentials}
	found, err = Kind(opts).Discover(t.Context())
	if err == nil || !strings.Contains(err.Error(), "aws second: no region is configured") || len(found) != 7 || found[0].Spec.(*Spec).Connection != "main" {
		t.Errorf("%d found, %v", len(found), err)
	}
}
