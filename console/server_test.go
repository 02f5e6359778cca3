package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/console"
	"github.com/sluice-gateway/sluice/gateway"
)

// ask sends a request to a handler as a program on this machine would.
func ask(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8550"+path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStatusSumsUp(t *testing.T) {
	f := newFake()
	f.waiting = []string{"documents"}
	s := decode[console.Status](t, ask(f.server(nil).Handler(), "GET", "/v1/status", ""))
	want := map[string]int{"pending": 4}
	if diff := cmp.Diff(want, s.Blocks); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
	if s.Gate.Open || len(s.Gate.Waiting) != 1 || s.Origin != "consul" {
		t.Errorf("gate %+v, origin %q", s.Gate, s.Origin)
	}
	if len(s.Documents) != 1 || s.Documents[0].Modify != 5 || s.Documents[0].Blocks["pending"] != 4 {
		t.Errorf("documents %+v", s.Documents)
	}
	if diff := cmp.Diff([]console.NodeSummary{{Gateway: "edge", Connected: 3, Behind: 1, Refusing: 1}}, s.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"old"}, s.Sources[0].Upstreams); diff != "" {
		t.Errorf("source feeds (-want +got):\n%s", diff)
	}
}

func TestRejectedBlocksSayWhyAndWhere(t *testing.T) {
	f := newFake()
	f.w, _ = gateway.Apply(f.w, gateway.Input{Documents: map[string]*gateway.Document{"consul:shop.hcl": parse("consul:shop.hcl", "bad")}})
	s := decode[console.Status](t, ask(f.server(nil).Handler(), "GET", "/v1/status", ""))
	if len(s.Problems) != 1 || s.Problems[0].State != "rejected" || !s.Problems[0].InForce || s.Problems[0].Newest {
		t.Fatalf("problems %+v", s.Problems)
	}
	d := s.Documents[0].Diagnostics
	if len(d) != 1 || d[0].Summary != "Unknown upstream" || d[0].Range.Start.Line != 13 {
		t.Errorf("diagnostics %+v", d)
	}
	blocks := decode[[]console.Block](t, ask(f.server(nil).Handler(), "GET", "/v1/blocks?kind=route", ""))
	if len(blocks) != 1 || blocks[0].Effective != shopText {
		t.Errorf("blocks %+v", blocks)
	}
}

func TestRoutesAreInDecidingOrder(t *testing.T) {
	list := decode[[]console.Route](t, ask(newFake().server(nil).Handler(), "GET", "/v1/routes?host=shop.example.com", ""))
	var got []string
	for _, r := range list {
		got = append(got, r.Match.Text+" → "+r.Lead())
	}
	want := []string{
		"GET /orders/{id} x-team=red → upstream.old 25% with prefix /v1, upstream.new 75%",
		"/api/* → upstream.old 25% with prefix /v1, upstream.new 75%",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	feature := list[0].Destinations[0].Features[0]
	if diff := cmp.Diff(map[string]any{"requests": 7.0, "key": "(from ${request.client_ip})"}, feature.Settings); diff != "" {
		t.Errorf("feature (-want +got):\n%s", diff)
	}
	if none := decode[[]console.Route](t, ask(newFake().server(nil).Handler(), "GET", "/v1/routes?gateway=other", "")); len(none) != 0 {
		t.Errorf("routes of another gateway: %+v", none)
	}
}

func TestUpstreamsShowHealthSourceAndAge(t *testing.T) {
	list := decode[[]console.Upstream](t, ask(newFake().server(nil).Handler(), "GET", "/v1/upstreams?name=new", ""))
	if len(list) != 1 || list[0].Healthy != 1 || len(list[0].Endpoints) != 2 {
		t.Fatalf("upstreams %+v", list)
	}
	e := list[0].Endpoints[0]
	if e.Address != "10.0.0.2:80" || e.Health != "critical" || e.Weight != 1 || e.Source != "fake:new" || e.Age != 90 {
		t.Errorf("endpoint %+v", e)
	}
}

func TestWorldCanBeBuiltAgain(t *testing.T) {
	d := decode[console.WorldDump](t, ask(newFake().server(nil).Handler(), "GET", "/v1/world", ""))
	if len(d.Documents) != 1 || len(d.Documents[0].Blocks) != 4 || d.Documents[0].Blocks[3].Text != shopText || d.Documents[0].Modify != 5 {
		t.Errorf("world %+v", d)
	}
}

func TestPlanShowsBlocksAndRoutes(t *testing.T) {
	h := newFake().server(nil).Handler()
	p := decode[console.Plan](t, ask(h, "POST", "/v1/plan", `{"documents":[{"name":"consul:shop.hcl","text":"good"}],"prune":true}`))
	if len(p.Blocks) != 1 || p.Blocks[0].Action != "change" || p.Blocks[0].Before != shopText || p.Errors || !p.Changes {
		t.Errorf("plan %+v", p)
	}
	if len(p.Routes) != 2 || p.Routes[0].Action != "change" || !strings.Contains(p.Routes[0].After, "upstream.old 75%") {
		t.Errorf("routes %+v", p.Routes)
	}
	if p.Base["consul:shop.hcl"] != 5 {
		t.Errorf("base %v", p.Base)
	}

	p = decode[console.Plan](t, ask(h, "POST", "/v1/plan", `{"documents":[{"name":"consul:shop.hcl","text":"bad"}]}`))
	if !p.Errors || len(p.Diagnostics) != 1 || p.Diagnostics[0].Summary != "Unknown upstream" || len(p.Routes) != 0 {
		t.Errorf("bad plan %+v", p)
	}

	p = decode[console.Plan](t, ask(h, "POST", "/v1/plan", `{"documents":[{"name":"consul:shop.hcl","text":null}]}`))
	if len(p.Blocks) != 4 || p.Blocks[0].Action != "remove" || len(p.Routes) != 2 || p.Routes[0].Action != "remove" {
		t.Errorf("removal %+v", p)
	}

	p = decode[console.Plan](t, ask(h, "POST", "/v1/plan", `{"documents":[{"name":"consul:shop.hcl","text":"broken"}]}`))
	if !p.Errors {
		t.Errorf("a broken document is no error: %+v", p)
	}

	p = decode[console.Plan](t, ask(h, "POST", "/v1/plan", `{"documents":[{"name":"consul:other.hcl","text":"none"}],"prune":true}`))
	if diff := cmp.Diff([]string{"consul:shop.hcl"}, p.Removed); diff != "" {
		t.Errorf("pruned (-want +got):\n%s", diff)
	}
	if w := ask(h, "POST", "/v1/plan", `{"documents":[],"prune":true}`); w.Code != http.StatusBadRequest {
		t.Errorf("pruning everything: %d %s", w.Code, w.Body)
	}
}

func TestExplainSaysWhy(t *testing.T) {
	h := newFake().server(nil).Handler()
	explain := func(body string) console.Decision {
		t.Helper()
		e := decode[console.Explanation](t, ask(h, "POST", "/v1/explain", body))
		if len(e.Listeners) != 1 {
			t.Fatalf("listeners %+v", e.Listeners)
		}
		return e.Listeners[0]
	}
	d := explain(`{"method":"GET","url":"http://shop.example.com/orders/7","headers":{"X-Team":["red"]}}`)
	if d.Outcome != "route" || d.Variables["id"] != "7" || d.Route.Position != 1 || len(d.Nearly) != 0 {
		t.Errorf("decision %+v", d)
	}
	d = explain(`{"url":"http://shop.example.com/api//x/../y?z=1"}`)
	if d.Outcome != "route" || len(d.Nearly) != 1 || d.Destinations[0].Path != "/v1/y" || d.Destinations[1].Path != "/api/y" {
		t.Errorf("decision %+v", d)
	}
	if l := d.Destinations[1]; l.Share != 0.75 || l.Healthy != 1 || l.Known != 2 {
		t.Errorf("landing %+v", l)
	}
	want := []string{`path must match template "/orders/{id}"; it is "/api/y"`, "header x-team must match exact \"red\"; there is none"}
	if diff := cmp.Diff(want, d.Nearly[0].Reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	for body, outcome := range map[string]string{
		`{"url":"http://other.example.com/"}`:                       "no_host",
		`{"url":"http://shop.example.com/"}`:                        "no_route",
		`{"url":"http://shop.example.com/api%2Fx"}`:                 "redirect",
		`{"url":"/api","headers":{"host":["shop.example.com:80"]}}`: "route",
	} {
		if d := explain(body); d.Outcome != outcome {
			t.Errorf("%s: outcome %s, want %s", body, d.Outcome, outcome)
		}
	}
	for _, body := range []string{`{"url":"/no/host"}`, `{"url":"http://x/","client_ip":"x"}`, `{"url":"http://x/","gateway":"none"}`, `{"url":"http://x/","nonsense":1}`} {
		if w := ask(h, "POST", "/v1/explain", body); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d", body, w.Code)
		}
	}
}

func TestActions(t *testing.T) {
	f := newFake()
	h := f.server(nil).Handler()
	decode[console.Done](t, ask(h, "POST", "/v1/drain", `{"address":"10.0.0.1:80"}`))
	if !f.drained["10.0.0.1:80"] {
		t.Error("not drained")
	}
	decode[console.Done](t, ask(h, "POST", "/v1/drain", `{"address":"10.0.0.1:80","undo":true}`))
	if f.drained["10.0.0.1:80"] {
		t.Error("still drained")
	}
	decode[console.Done](t, ask(h, "POST", "/v1/freeze", `{"reason":"lunch"}`))
	if s := decode[console.Status](t, ask(h, "GET", "/v1/status", "")); !s.Frozen || s.Reason != "lunch" {
		t.Errorf("frozen %v %q", s.Frozen, s.Reason)
	}
	if w := ask(h, "POST", "/v1/drain", `{"address":"nonsense"}`); w.Code != http.StatusBadRequest {
		t.Errorf("nonsense: %d", w.Code)
	}
	f.broken = true
	if w := ask(h, "POST", "/v1/drain", `{"address":"10.0.0.1:80"}`); w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "consul is away") {
		t.Errorf("broken: %d %s", w.Code, w.Body)
	}
	for path, method := range map[string]string{"/v1/drain": "GET", "/v1/nothing": "GET", "/v1/status": "POST"} {
		if w := ask(h, method, path, "{}"); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	h := newFake().server(nil).Handler()
	if w := ask(h, "POST", "/v1/explain", `{"url":"`+strings.Repeat("x", 2<<20)+`"}`); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", w.Code)
	}
}

func TestTokenIsNeededAndReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(token string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write("first-token-of-many", time.Hour)
	token, err := console.ReadToken(path)
	if err != nil {
		t.Fatal(err)
	}
	h := newFake().server(func(c *console.Config) { c.Token = token; c.Gatherer = prometheus.NewRegistry() }).Handler()
	code := func(path, token string) int {
		return ask(h, "GET", path, "", "Authorization", token).Code
	}
	for path, want := range map[string]int{"/v1/status": 401, "/metrics": 401, "/v1/nothing": 401, "/healthz": 200, "/readyz": 200} {
		if got := code(path, "Bearer wrong"); got != want {
			t.Errorf("%s with a wrong token: %d, want %d", path, got, want)
		}
	}
	if got := code("/v1/status", "Bearer first-token-of-many"); got != 200 {
		t.Errorf("with the token: %d", got)
	}
	write("second-token-of-many", 0)
	deadline := time.Now().Add(10 * time.Second)
	for code("/v1/status", "Bearer second-token-of-many") != 200 {
		if time.Now().After(deadline) {
			t.Fatal("the new token never counts")
		}
	}
	if got := code("/v1/status", "Bearer first-token-of-many"); got != 401 {
		t.Errorf("with the old token: %d", got)
	}
	write("short", 0)
	if _, err := console.ReadToken(path); err == nil {
		t.Error("a short token is accepted")
	}
}

func TestBrowsersOfStrangersAreKeptOut(t *testing.T) {
	h := newFake().server(nil).Handler()
	r := httptest.NewRequest("GET", "http://rebound.example.com:8550/v1/status", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("a name that leads here by DNS: %d", w.Code)
	}
	if w := ask(h, "POST", "/v1/freeze", `{}`, "Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("a page of another site: %d", w.Code)
	}
}

func TestBinding(t *testing.T) {
	for _, c := range []struct {
		address    string
		tls, token bool
		want       string // in the error; empty: none
	}{
		{"127.0.0.1:8550", false, false, ""},
		{"[::1]:8550", false, false, ""},
		{"localhost:8550", false, false, ""},
		{"0.0.0.0:8550", true, true, ""},
		{"0.0.0.0:8550", false, true, "needs tls"},
		{"10.0.0.1:8550", true, false, "needs token_file"},
		{":8550", false, false, "needs tls and token_file"},
		{"8550", false, false, "host and port"},
	} {
		err := console.CheckBind(c.address, c.tls, c.token)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.address, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", c.address, err, c.want)
		}
	}
}

// serve runs a server on a free port until the test ends.
func serve(t *testing.T, s *console.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + l.Addr().String()
}

func TestEventsAreFollowed(t *testing.T) {
	f := newFake()
	f.say(console.Event{ID: 1, Kind: "block", Text: "one"})
	url := serve(t, f.server(nil))
	resp, err := http.Get(url + "/v1/events?since=0")
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || strings.Count(string(all), "\n") != 1 {
		t.Fatalf("events %q, %v", all, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/v1/events?follow&since=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	f.say(console.Event{ID: 2, Kind: "block", Text: "two"})
	lines := bufio.NewScanner(resp.Body)
	var got []string
	for len(got) < 2 && lines.Scan() {
		if lines.Text() != "" {
			got = append(got, lines.Text())
		}
	}
	if len(got) != 2 || got[0] != "id: 2" || !strings.Contains(got[1], `"text":"two"`) {
		t.Errorf("stream %q", got)
	}
}

// A client that follows events and never reads is dropped, and holds nobody up.
func TestSlowFollowersAreDropped(t *testing.T) {
	f := newFake()
	s := f.server(nil)
	s.SetPatience(50 * time.Millisecond)
	url := serve(t, s)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /v1/events?follow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "the follower", func() bool { return f.subscribers() == 1 })
	text := strings.Repeat("x", 1<<20)
	for i := range 32 {
		f.say(console.Event{ID: uint64(i + 1), Text: text})
	}
	await(t, "the follower to be dropped", func() bool { return f.subscribers() == 0 })
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
