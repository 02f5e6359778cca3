package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const pageRounds = 40

// pages compares requests whose JSON answer becomes a page with the same answer proxied plainly, and a page of a long
// list with Envoy's own filter for JSON, which takes two fields of the same answer.
func pages(s *stage) {
	up := s.role("documents")
	small, long, _ := strings.Cut(up.word, " ")
	ports := testenv.FreePorts(s, 2)
	_, edge := s.onDisk(fmt.Sprintf(listening, ports[0])+pageDocument(small, long), "")
	ours := int(edge.Process)
	native := testenv.StartEnvoy(s, testenv.EnvoyOptions{Bootstrap: handWriting{edgeDefaults, transformThenRouter, ""}.bootstrap(ports[1], long)})

	way := func(port int, path string, envoy int) *loaded {
		req := request(hostName(0), path)
		s.awaitStatus(s.prober(port), req, http.StatusOK)
		return &loaded{caller: probing(port, req), envoy: envoy}
	}
	plain, page := way(ports[0], "/small/plain", ours), way(ports[0], "/small/page", ours)
	longPlain, longPage := way(ports[0], "/long/plain", ours), way(ports[0], "/long/page", ours)
	filter := way(ports[1], "/shop/00/item-00", int(native.Process))
	s.compare(pageRounds, plain, page)
	s.compare(pageRounds, longPlain, longPage, filter)

	s.note(Entry{Name: "JSON to HTML, 141 bytes: CPU of Envoy", Unit: "µs", Value: median(page.cpu)}.over(median(plain.cpu)))
	s.note(Entry{Name: "JSON to HTML, 141 bytes: CPU against plain proxying", Unit: "×", Value: against(page.cpu, plain.cpu)}.atMost(1.6))
	s.note(Entry{Name: "JSON to HTML, 141 bytes: throughput against plain proxying", Unit: "×", Value: against(page.rate, plain.rate)}.atLeast(0.65))
	s.note(Entry{Name: "JSON to HTML, 400 elements in 17 KB: CPU of Envoy", Unit: "µs", Value: median(longPage.cpu)}.over(median(longPlain.cpu)))
	s.note(Entry{Name: "JSON to HTML, 400 elements in 17 KB: CPU against Envoy's transform filter", Unit: "×", Value: against(longPage.cpu, filter.cpu)}.atMost(2))
}

// pageDocument is two upstreams, each with its answer as it is and as a page.
func pageDocument(small, long string) string {
	var b strings.Builder
	for name, port := range map[string]string{"small": small, "long": long} {
		fmt.Fprintf(&b, `upstream "%[1]s" {
  static { endpoints = ["127.0.0.1:%[2]s"] }
}

route "%[1]s" {
  match { path = "/%[1]s/plain" }
  to { upstream = upstream.%[1]s }
}

route "%[1]s_page" {
  match { path = "/%[1]s/page" }
  to { upstream = upstream.%[1]s }
  response {
    status       = ["2xx"]
    content_type = "text/html"
    body         = local.page
  }
}

`, name, port)
	}
	return b.String() + pageLocals
}

const pageLocals = `locals {
  page = "<h1>${response.body.owner.name} (${response.body.owner.city})</h1><ul>%{for p in response.body.pets}<li>${p.id}: ${p.name} <i>${p.kind}</i></li>%{endfor}</ul><p>${response.body.total}</p>"
}
`

const transformThenRouter = `[{"name": "envoy.filters.http.transform", "typed_config": {
  "@type": "type.googleapis.com/envoy.extensions.filters.http.transform.v3.TransformConfig",
  "response_transformation": {"body_transformation": {"action": "REPLACE", "body_format": {"json_format": {
    "name": "%RESPONSE_BODY(owner:name)%", "list": "%RESPONSE_BODY(pets)%"}}}}}}, {
  "name": "envoy.filters.http.router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]`

const smallJSON = `{"owner":{"name":"Ann <b>","city":"Ghent"},"pets":[{"id":1,"name":"Rex","kind":"dog"},{"id":2,"name":"Tom & co","kind":"cat"}],"total":2}`

func longJSON() string {
	var b strings.Builder
	b.WriteString(`{"owner":{"name":"Ann","city":"Ghent"},"pets":[`)
	for i := range 400 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"pet <%d>","kind":"dog"}`, i, i)
	}
	return b.String() + `],"total":400}`
}

// documentsRole serves a small and a long answer in JSON; its word is their ports.
func documentsRole([]string) error {
	var ports []string
	for _, body := range []string{smallJSON, longJSON()} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		ports = append(ports, portOf(l))
		go func() { _ = serveUpstream(l, answerOf("application/json", []byte(body))) }()
	}
	ready(strings.Join(ports, " "))
	serve(func(string) string { return "" })
	return nil
}
