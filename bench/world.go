package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/bootstrap"
)

const prefix = "sluice/"

// manyConnections lets two replicas share the address of loopback: each takes a connection for every folder.
const manyConnections = "limits {\n  http_max_conns_per_client = 1000\n}\n"

// writer is a client of Consul whose connections stay open, for what is timed.
func (s *stage) writer(c *testenv.Consul) *api.Client {
	client, err := api.NewClient(&api.Config{Address: c.Addr, Scheme: "http", Transport: &http.Transport{MaxIdleConnsPerHost: 4}})
	s.must(err)
	return client
}

// gatewayDocument is the listener and the upstream of every measurement.
func gatewayDocument(port int, upstreamPort string) string {
	return fmt.Sprintf(`gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
  }
}

upstream "shop" {
  static { endpoints = ["127.0.0.1:%s"] }
}

policy "standard" {
  timeout { request = "3s" }
}
`, port, upstreamPort)
}

// routeDocument is one route to the upstream.
func routeDocument(name, host, path string) string {
	return fmt.Sprintf(`route "%s" {
  hosts    = ["%s"]
  policies = [policy.standard]
  match {
    method = "GET"
    path   = "%s"
  }
  to { upstream = upstream.shop }
}
`, name, host, path)
}

func hostName(n int) string { return fmt.Sprintf("host-%02d.example.com", n) }

func documentKey(folder, n int) string {
	return fmt.Sprintf("team-%02d/route-%02d.hcl", folder, n)
}

// routeDocuments are folders × each documents of one route, by key below routes/; a folder has a host of its own.
func routeDocuments(folders, each int) map[string]string {
	docs := map[string]string{}
	for f := range folders {
		for n := range each {
			docs[documentKey(f, n)] = routeDocument(fmt.Sprintf("r-%02d-%02d", f, n), hostName(f), fmt.Sprintf("/shop/%02d/item-%02d", f, n))
		}
	}
	return docs
}

// putAll writes keys in transactions.
func (s *stage) putAll(c *api.Client, docs map[string]string) {
	var ops api.TxnOps
	flush := func() {
		if len(ops) == 0 {
			return
		}
		ok, answer, _, err := c.Txn().Txn(ops, nil)
		s.must(err)
		if !ok {
			s.Fatalf("write to consul: %v", answer.Errors[0].What)
		}
		ops = nil
	}
	for key, text := range docs {
		ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVSet, Key: key, Value: []byte(text)}})
		if len(ops) == 64 {
			flush()
		}
	}
	flush()
}

// below puts a folder before every key.
func below(folder string, docs map[string]string) map[string]string {
	out := make(map[string]string, len(docs))
	for k, v := range docs {
		out[folder+k] = v
	}
	return out
}

// edge starts an Envoy that joins sluice as the gateway "edge". It returns before the gateway serves.
func (s *stage) edge(xds string) *testenv.Envoy {
	text, err := bootstrap.JSON(bootstrap.Options{NodeID: "bench-" + xds, Gateway: "edge", ControlPlanes: []string{"127.0.0.1:" + xds}})
	s.must(err)
	return testenv.StartEnvoy(s, testenv.EnvoyOptions{Bootstrap: text, NoWait: true})
}

// quiet waits until sluice has written everything that it writes after a change in size: statuses, ledger, history.
func (s *stage) quiet(c *api.Client, documents int) {
	testenv.Eventually(s, patienceForWriting, func() error {
		keys, _, err := c.KV().Keys(prefix+"history/", "", nil)
		if err != nil {
			return err
		}
		if len(keys) < documents {
			return fmt.Errorf("%d of %d documents have a history", len(keys), documents)
		}
		return nil
	})
}

func lines(paths ...string) []byte { return []byte(strings.Join(paths, "\n")) }

func serviceName(n int) string { return fmt.Sprintf("service-%04d", n) }

// serviceDocument is an upstream of one Consul service, and a route to it.
func serviceDocument(n int) string {
	return fmt.Sprintf(`upstream "%[1]s" {
  consul { service = "%[1]s" }
}

route "%[1]s" {
  hosts = ["%[2]s"]
  match { prefix = "/%[1]s" }
  to { upstream = upstream.%[1]s }
}
`, serviceName(n), hostName(n%100))
}
