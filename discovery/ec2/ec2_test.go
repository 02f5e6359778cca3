package ec2

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/internal/sourcetest"
	"github.com/sluice-gateway/sluice/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func opened(t testing.TB, kind discovery.Kind, s *Spec) discovery.Source {
	t.Helper()
	source, err := kind.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			f := startFake(t)
			f.Set(2)
			return opened(t, Kind(hasty(t)), shop(f.URL)), f
		},
		Patience: 10 * time.Second,
		Secrets:  []string{canary, "canary-session"},
		Guard:    &discovery.Guard{},
	})
}

// The same by pages of one, so that every answer has several.
func TestSourceByPages(t *testing.T) {
	sourcetest.Run(t, sourcetest.Suite{
		Start: func(t *testing.T) (discovery.Source, sourcetest.Remote) {
			f := startFake(t)
			f.size = 1
			f.Set(2)
			s := shop(f.URL)
			s.StatusChecks = true
			return opened(t, Kind(hasty(t)), s), f
		},
		Patience: 10 * time.Second,
		Secrets:  []string{canary, "canary-session"},
		Guard:    &discovery.Guard{},
	})
}

// listener is a source at work.
type listener struct {
	t     testing.TB
	words chan []gateway.Endpoint
	done  chan error
	stop  context.CancelFunc
}

func listen(t testing.TB, source discovery.Source) *listener {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &listener{t: t, words: make(chan []gateway.Endpoint, 1000), done: make(chan error, 1), stop: stop}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.done <- source.Run(ctx, func(e []gateway.Endpoint) { l.words <- e }, func() {})
	}()
	t.Cleanup(func() { stop(); <-ended })
	return l
}

func (l *listener) next() []gateway.Endpoint {
	l.t.Helper()
	select {
	case e := <-l.words:
		return e
	case err := <-l.done:
		l.t.Fatalf("the source ended: %v", err)
	case <-time.After(20 * time.Second):
		l.t.Fatal("no answer")
	}
	return nil
}

func (l *listener) err() error {
	l.t.Helper()
	for {
		select {
		case <-l.words:
		case err := <-l.done:
			return err
		case <-time.After(20 * time.Second):
			l.t.Fatal("no error")
		}
	}
}

// until waits for an answer that shows these instances, as ID=HEALTH.
func (l *listener) until(want ...string) {
	l.t.Helper()
	var last []string
	for range 1000 {
		last = nil
		for _, e := range l.next() {
			last = append(last, e.ID+"="+e.Health.String())
		}
		if cmp.Equal(last, want) {
			return
		}
	}
	l.t.Fatalf("the last answer is %q, want %q", last, want)
}

func TestEndpointsOfInstances(t *testing.T) {
	f := startFake(t)
	f.put(
		row{id: "i-1", private: "10.0.0.1", public: "54.0.0.1", v6: "2001:db8::1", zone: "us-east-1a", kind: "c7g.large",
			tags: map[string]string{"service": "shop", "port": "9000", "canary": "", "version": "2"}},
		row{id: "i-2", private: "10.0.0.2", zone: "us-east-1b", tags: map[string]string{"service": "shop", "port": "none"}},
		row{id: "i-3", private: "10.0.0.3", tags: map[string]string{"service": "shop"}},
		row{id: "i-4", private: "10.0.0.4", tags: map[string]string{"service": "other", "port": "1"}},
		row{id: "i-5", state: "pending", private: "10.0.0.5", tags: map[string]string{"service": "shop"}},
		row{id: "i-6", state: "stopped", private: "10.0.0.6", tags: map[string]string{"service": "shop"}},
	)
	first := gateway.Endpoint{
		ID: "i-1", Address: "10.0.0.1", Port: 9000, Locality: gateway.Locality{Region: "us-east-1", Zone: "us-east-1a"}, Tags: []string{"canary"},
		Meta: map[string]string{"service": "shop", "port": "9000", "canary": "", "version": "2", metaType: "c7g.large", metaImage: "ami-1"},
	}
	second := gateway.Endpoint{
		ID: "i-3", Address: "10.0.0.3", Port: 8080, Locality: gateway.Locality{Region: "us-east-1"}, Meta: map[string]string{"service": "shop", metaImage: "ami-1"},
	}
	s := shop(f.URL)
	s.PortTag = "port"
	l := listen(t, opened(t, Kind(hasty(t)), s))
	if diff := cmp.Diff([]gateway.Endpoint{first, second}, l.next()); diff != "" {
		t.Error(diff)
	}
	for address, want := range map[string]string{"public": "54.0.0.1:8080", "ipv6": "2001:db8::1:8080"} {
		s := shop(f.URL)
		s.Address = address
		got := listen(t, opened(t, Kind(hasty(t)), s)).next()
		if len(got) != 1 || fmt.Sprintf("%s:%d", got[0].Address, got[0].Port) != want {
			t.Errorf("%s: %+v", address, got)
		}
	}
	s = shop(f.URL)
	s.Port, s.PortTag = 0, "prot"
	err := listen(t, opened(t, Kind(hasty(t)), s)).err()
	if want := `no instance that is selected can be an endpoint: i-1 has no tag "prot", and 2 more like it`; !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v", err)
	}
}

// What AWS says has stopped is drained at once; what is missing is not said to be.
func TestInstancesThatStop(t *testing.T) {
	f := startFake(t)
	rows := numbered(3)
	for i := range rows {
		rows[i].id = fmt.Sprintf("i-%d", i)
	}
	f.put(rows...)
	l := listen(t, opened(t, Kind(hasty(t)), shop(f.URL)))
	l.until("i-0=passing", "i-1=passing", "i-2=passing")
	rows[0].state = "shutting-down"
	rows[1].state, rows[1].private, rows[1].tags = "terminated", "", nil
	// A new instance has the address of one that stops.
	rows[2].state = "stopped"
	again := row{id: "i-9", private: rows[2].private, tags: rows[2].tags}
	f.put(append(rows, again)...)
	// AWS answers without i-1 where it is asked by tag, as it would.
	l.until("i-0=draining", "i-9=passing")
	l.until("i-9=passing")
}

func TestStatusChecks(t *testing.T) {
	f := startFake(t)
	rows := numbered(4)
	for i := range rows {
		rows[i].id = fmt.Sprintf("i-%d", i)
	}
	rows[0].impaired, rows[1].impaired, rows[2].impaired = "instance", "system", "attached-ebs"
	f.put(rows...)
	kind := Kind(hasty(t))
	plain := listen(t, opened(t, kind, shop(f.URL)))
	plain.until("i-0=passing", "i-1=passing", "i-2=passing", "i-3=passing")
	if n := f.called("DescribeInstanceStatus"); n != 0 {
		t.Errorf("status was asked for %d times, and nobody wants it", n)
	}
	s := shop(f.URL)
	s.StatusChecks = true
	checked := listen(t, opened(t, kind, s))
	checked.until("i-0=critical", "i-1=critical", "i-2=critical", "i-3=passing")
	// Who did not ask for status does not suffer from its failure.
	f.fail(fault{action: "DescribeInstanceStatus", code: "UnauthorizedOperation", status: 403, message: "You are not authorized. Encoded authorization failure message: abcdef"})
	err := checked.err()
	if !strings.Contains(err.Error(), "allow ec2:DescribeInstanceStatus in their policy") || strings.Contains(err.Error(), "abcdef") {
		t.Errorf("the error is %v", err)
	}
	f.put(rows[3])
	plain.until("i-3=passing")
	for _, raw := range []string{"", "<html>log in</html>"} {
		f.fail(fault{action: "DescribeInstanceStatus", raw: &raw})
		if err := listen(t, opened(t, kind, s)).err(); !strings.Contains(err.Error(), "no list of statuses") {
			t.Errorf("%q: the error is %v", raw, err)
		}
	}
}

// An answer that has lost all is doubted; what it says has been terminated takes no traffic all the same.
func TestAFleetThatIsTerminated(t *testing.T) {
	f := startFake(t)
	rows := numbered(5)
	f.put(rows...)
	updates := make(chan map[gateway.SourceKey][]gateway.Endpoint, 1000)
	s := shop(f.URL)
	m := discovery.New(discovery.Options{
		Kinds:   []discovery.Kind{Kind(hasty(t))},
		Publish: func(changed map[gateway.SourceKey][]gateway.Endpoint) { updates <- changed },
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() { stop(); <-done }()
	m.Want(map[gateway.SourceKey]gateway.SourceSpec{s.SourceKey(): s})
	next := func() (out []gateway.Endpoint) {
		t.Helper()
		select {
		case changed := <-updates:
			return changed[s.SourceKey()]
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is published")
		}
		return nil
	}
	if n := len(next()); n != 5 {
		t.Fatalf("%d endpoints", n)
	}
	for i := range rows {
		rows[i].state, rows[i].private = "terminated", ""
	}
	f.put(rows...)
	for _, e := range next() {
		if e.Health != gateway.Draining || e.Address == "" {
			t.Errorf("%+v", e)
		}
	}
}

// Nothing of a broken answer counts, and the next good one does.
func TestBrokenAnswers(t *testing.T) {
	empty, html, none := "", "<html>log in</html>", `<?xml version="1.0"?><DescribeInstancesResponse><requestId>1</requestId></DescribeInstancesResponse>`
	markup := `<DescribeInstancesResponse><reservationSet><!-- --></reservationSet></DescribeInstancesResponse>`
	foreign := `<DescribeInstancesResponse><reservationSet><item><instancesSet><item></instancesSet></item></item></reservationSet></DescribeInstancesResponse>`
	others := `<DescribeInstancesResponse><reservationSet><item></item></reservationSet><reservationSet><item></item></reservationSet></DescribeInstancesResponse>`
	endless := `<DescribeInstancesResponse><reservationSet/><nextToken>at-0</nextToken></DescribeInstancesResponse>`
	for name, c := range map[string]struct {
		fault fault
		want  string
	}{
		"second page":   {fault{page: 2, code: "InternalError", status: 500, message: "An internal error"}, "ec2:DescribeInstances: InternalError: An internal error"},
		"hung page":     {fault{page: 2, hang: true}, "no answer in time"},
		"throttled":     {fault{code: "RequestLimitExceeded", message: "Request limit exceeded."}, "AWS throttles the account, which makes too many calls: RequestLimitExceeded"},
		"unknown key":   {fault{code: "AuthFailure", status: 401, message: "AWS was not able to validate the provided access credentials"}, "AWS does not accept the credentials"},
		"expired":       {fault{code: "ExpiredToken", status: 400}, "the credentials have expired"},
		"clock":         {fault{code: "RequestExpired", status: 400}, "or the clock of this machine is wrong"},
		"denied":        {fault{code: "UnauthorizedOperation", status: 403}, "allow ec2:DescribeInstances in their policy"},
		"cut":           {fault{cut: true}, "EOF"},
		"half":          {fault{half: true}, "EOF"},
		"half a page 3": {fault{page: 3, half: true}, "EOF"},
		"empty":         {fault{raw: &empty}, "no list of reservations"},
		"a log-in page": {fault{raw: &html}, "no list of reservations"},
		"no list":       {fault{raw: &none}, "no list of reservations"},
		"markup":        {fault{raw: &markup}, "markup"},
		"malformed":     {fault{raw: &foreign}, "element"},
		"two lists":     {fault{raw: &others}, "not made as one of EC2"},
		"endless":       {fault{raw: &endless}, "names itself as the next one"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.size = 2
			f.Set(5)
			source := opened(t, Kind(hasty(t)), shop(f.URL))
			l := listen(t, source)
			if got := l.next(); len(got) != 5 {
				t.Fatalf("%d endpoints at first", len(got))
			}
			f.fail(c.fault)
			var err error
			for err == nil {
				select {
				case e := <-l.words:
					if len(e) != 5 {
						t.Fatalf("a broken answer became %d endpoints", len(e))
					}
				case err = <-l.done:
				case <-time.After(20 * time.Second):
					t.Fatal("no error")
				}
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "RequestID") || strings.Contains(err.Error(), "attempts") {
				t.Errorf("the error is %v", err)
			}
			f.Set(4)
			if got := listen(t, source).next(); len(got) != 4 {
				t.Errorf("%d endpoints afterwards", len(got))
			}
		})
	}
}

// A throttled call is made again before anybody hears of it.
func TestThrottlingPasses(t *testing.T) {
	f := startFake(t)
	f.Set(2)
	f.fail(fault{code: "RequestLimitExceeded", times: 1})
	opts := hasty(t)
	if got := listen(t, opened(t, Kind(opts), shop(f.URL))).next(); len(got) != 2 {
		t.Errorf("%d endpoints", len(got))
	}
}

// All blocks of an account share its questions, and what is asked is what they have in common.
func TestBlocksShareQuestions(t *testing.T) {
	f := startFake(t)
	rows := numbered(4)
	rows[1].tags = map[string]string{"service": "cart"}
	rows[2].tags = map[string]string{"service": "cart", "env": "test"}
	f.put(rows...)
	opts := hasty(t)
	opts.pace.gather = 100 * time.Millisecond
	kind := Kind(opts)
	with := func(change func(*Spec)) *Spec {
		s := shop(f.URL)
		s.Interval = time.Hour
		change(s)
		return s
	}
	var listeners []*listener
	for i := range 10 {
		listeners = append(listeners, listen(t, opened(t, kind, with(func(s *Spec) {
			s.Port = 1000 + i
			if i%2 == 1 {
				s.Tags = map[string]string{"service": "cart"}
			}
		}))))
	}
	for _, l := range listeners {
		if n := len(l.next()); n != 2 {
			t.Errorf("%d endpoints", n)
		}
	}
	if n := f.called("DescribeInstances"); n != 1 {
		t.Errorf("ten blocks make %d calls", n)
	}
	// What the last answer covers needs no question.
	narrower := with(func(s *Spec) { s.Tags = map[string]string{"service": "cart", "env": "test"} })
	if got := listen(t, opened(t, kind, narrower)).next(); len(got) != 1 || f.called("DescribeInstances") != 1 {
		t.Errorf("%d endpoints, %d calls", len(got), f.called("DescribeInstances"))
	}
	// What it does not, does.
	wider := with(func(s *Spec) { s.Tags, s.Filters = nil, map[string][]string{"availability-zone": {"us-east-1a"}} })
	if got := listen(t, opened(t, kind, wider)).next(); len(got) != 2 || f.called("DescribeInstances") != 2 {
		t.Errorf("%d endpoints, %d calls", len(got), f.called("DescribeInstances"))
	}
	if diff := cmp.Diff([]map[string][]string{{"tag:service": {"cart", "shop"}}, {}}, f.asked); diff != "" {
		t.Errorf("asked was: %s", diff)
	}
	// One that ends disturbs no other.
	listeners[0].stop()
	other := with(func(s *Spec) { s.StatusChecks = true })
	if got := listen(t, opened(t, kind, other)).next(); len(got) != 2 {
		t.Errorf("%d endpoints", len(got))
	}
	if got := listeners[1].next(); len(got) != 2 {
		t.Errorf("%d endpoints", len(got))
	}
}

// A secret that is not read yet is waited for in silence; a new version signs the next call.
func TestCredentialsOfASecret(t *testing.T) {
	f := startFake(t)
	f.Set(1)
	opts := hasty(t)
	opts.Connections = nil
	keys := make(chan string, 1)
	var current string
	opts.Reveal = func(id gateway.ID) (gateway.Material, bool) {
		select {
		case current = <-keys:
		default:
		}
		if current == "" || id != (gateway.ID{Kind: gateway.KindSecret, Name: "aws"}) {
			return gateway.Material{}, false
		}
		return gateway.NewMaterial(map[string][]byte{"access_key": []byte(current), "secret_key": []byte(canary), "security_token": []byte("of-" + current)}), true
	}
	s := shop(f.URL)
	s.Credentials = gateway.Ref{ID: gateway.ID{Kind: gateway.KindSecret, Name: "aws"}}
	if s.Credential() != s.Credentials.ID || strings.Contains(s.SourceKey().Query, canary) || !strings.Contains(s.SourceKey().Query, "credentials=aws") {
		t.Errorf("the key is %s", s.SourceKey())
	}
	source := opened(t, Kind(opts), s)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := source.Run(ctx, func([]gateway.Endpoint) { t.Error("an answer without credentials") }, func() {}); err == nil || f.called("DescribeInstances") > 0 {
		t.Errorf("without the secret: %v", err)
	}
	keys <- "AKIAONE"
	l := listen(t, source)
	l.next()
	keys <- "AKIATWO"
	testenv.Eventually(t, 10*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if last := f.signers[len(f.signers)-1]; last != "AKIATWO of-AKIATWO" {
			return fmt.Errorf("%s signed", last)
		}
		return nil
	})
	opts.Reveal = func(gateway.ID) (gateway.Material, bool) {
		return gateway.NewMaterial(map[string][]byte{"value": []byte(canary)}), true
	}
	err := listen(t, opened(t, Kind(opts), s)).err()
	if !strings.Contains(err.Error(), "secret.aws has no fields access_key and secret_key") || strings.Contains(err.Error(), canary) {
		t.Errorf("the error is %v", err)
	}
}

func TestConnections(t *testing.T) {
	s := shop("")
	for name, c := range map[string]struct {
		opts       Options
		connection string
		want       string
	}{
		"none":    {Options{}, "", "no aws is configured; add an aws block to the agent's configuration"},
		"one":     {hasty(t), "", ""},
		"named":   {hasty(t), "main", ""},
		"unknown": {hasty(t), "other", `no aws connection is named "other"; there is main`},
	} {
		s.Connection = c.connection
		_, err := Kind(c.opts).Open(s)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	two := hasty(t)
	two.Connections["second"] = two.Connections["main"]
	s.Connection = ""
	if _, err := Kind(two).Open(s); err == nil || !strings.Contains(err.Error(), "connection must name one of main, second") {
		t.Errorf("two: %v", err)
	}
	s.Credentials = gateway.Ref{ID: gateway.ID{Kind: gateway.KindSecret, Name: "aws"}}
	if _, err := Kind(Options{}).Open(s); err == nil || !strings.Contains(err.Error(), "no secrets are read here") {
		t.Errorf("a secret: %v", err)
	}
}
