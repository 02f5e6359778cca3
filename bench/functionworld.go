package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/bench/stack"
	"github.com/sluice-gateway/sluice/discovery"
	reflection "github.com/sluice-gateway/sluice/discovery/grpc"
	"github.com/sluice-gateway/sluice/discovery/openapi"
	"github.com/sluice-gateway/sluice/gateway"
)

// perHost is how many routes to functions a host has, a quarter of each kind.
const perHost = 100

// functionKinds are the four ways of calling that are mixed, each with its path and its destination.
var functionKinds = []struct{ path, to string }{
	{"/team-%02d/rewritten/%04d/{a}/{b}", "function = function.api.op%04d"},
	{"/team-%02d/scripted/%04d/{a}", "function = function.api.op%04d\n    args     = { a = upper(request.path.a), b = \"${request.query.b}-${request.path.a}\" }"},
	{"/team-%02d/lambda/%04d/{name}", "function = function.math[\"fn-%04d\"]"},
	{"/team-%02d/transcoded/%04d/{id}", "function = function.users.GetUser # %04d"},
}

// functionPath is a path that the route of a number takes.
func functionPath(n int) string {
	return strings.NewReplacer("{a}", "1", "{b}", "2", "{name}", "ann", "{id}", "7").Replace(fmt.Sprintf(functionKinds[n%len(functionKinds)].path, n/perHost, n))
}

// functionDocuments are n routes of mixed kinds, a document a host; the first host has a route more, whose path is that
// of its function.
func functionDocuments(n int) map[string]string {
	docs := map[string]string{}
	for i := range n {
		kind, key := functionKinds[i%len(functionKinds)], fmt.Sprintf("hosts/%02d.hcl", i/perHost)
		docs[key] += fmt.Sprintf("route \"r-%04d\" {\n  hosts = [%q]\n  match {\n    method = \"GET\"\n    path   = %q\n  }\n  to {\n    %s\n  }\n}\n",
			i, hostName(i/perHost), fmt.Sprintf(kind.path, i/perHost, i), fmt.Sprintf(kind.to, i))
	}
	docs["hosts/changed.hcl"] = fmt.Sprintf("route \"changed\" {\n  hosts = [%q]\n  match { function = function.api.changed }\n  to { function = function.api.changed }\n}\n", hostName(0))
	return docs
}

// functionBase is the gateway, with more in its listener, and the three upstreams.
func functionBase(port int, more, up, service, platform string) string {
	return fmt.Sprintf(`gateway "edge" {
  listener "http" {
    address = "127.0.0.1"
    port    = %d
    %s
  }
}

secret "aws" {
  vault_kv { path = "bench/aws" }
}

upstream "api" {
  static { endpoints = [%q] }
  openapi {}
}

upstream "users" {
  static { endpoints = [%q] }
  grpc {}
}

upstream "math" {
  lambda {
    region      = "us-east-1"
    credentials = secret.aws
    endpoint    = %q
  }
}
`, port, more, up, service, platform)
}

// operations is an OpenAPI document with the operations that n routes call, and one whose path has a number.
func operations(n, changed int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"openapi":"3.0.3","info":{"title":"api","version":"1"},"paths":{
"/team-00/changed/%06d/{a}":{"get":{"operationId":"changed","parameters":[{"name":"a","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"200":{"description":"fine"}}}}`, changed)
	for i := range n {
		path, in := fmt.Sprintf("/api/things-%04d/{a}/of/{b}", i), "path"
		switch i % len(functionKinds) {
		case 1:
			path, in = fmt.Sprintf("/api/things-%04d/{a}", i), "query"
		case 2, 3:
			continue
		}
		fmt.Fprintf(&b, `,
"%s":{"get":{"operationId":"op%04d","summary":"Read thing %d","parameters":[{"name":"a","in":"path","required":true,"schema":{"type":"string"}},{"name":"b","in":"%s","required":true,"schema":{"type":"string"}}],
"responses":{"200":{"description":"the thing","content":{"application/json":{"schema":{"type":"object","properties":{"name":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}}}}}}}}}`, path, i, i, in)
	}
	b.WriteString("}}")
	return b.Bytes()
}

func listed(n, changed int) ([]*gateway.Function, error) {
	listing, err := openapi.List(operations(n, changed), "/openapi.json")
	return listing.Functions, err
}

// lambdas are the functions of an account that n routes call.
func lambdas(n int) (out []*gateway.Function) {
	for i := range n {
		if i%len(functionKinds) == 2 {
			name := fmt.Sprintf("fn-%04d", i)
			out = append(out, &gateway.Function{
				Name: name, Kind: gateway.FunctionLambda,
				Lambda: &gateway.LambdaFunction{ARN: "arn:aws:lambda:us-east-1:000000000000:function:" + name},
			})
		}
	}
	return out
}

// reflected are the methods of a service.
func reflected(address string) (out []*gateway.Function, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	f := reflection.New(gateway.GRPC{}, discovery.Surroundings{Endpoints: func() []gateway.Endpoint {
		return []gateway.Endpoint{{ID: address, Address: host, Port: uint16(n)}}
	}})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	err = f.Run(ctx, func(all []*gateway.Function) {
		out = all
		stop()
	}, func() {})
	if len(out) > 0 {
		return out, nil
	}
	return nil, fmt.Errorf("no methods are found at %s: %w", address, err)
}

// functionsRole is a control plane whose routes call functions: "read N" reads a document in which the path of one
// operation has changed, and "update" gives the control plane what was read.
func functionsRole(args []string) error {
	f := flag.NewFlagSet("functions", flag.ContinueOnError)
	n, port := f.Int("n", 0, "routes"), f.Int("port", 1, "of the listener")
	up, service, platform := f.String("upstream", "", "address"), f.String("service", "", "address of the gRPC service"), f.String("lambda", "", "the platform's address")
	listener := f.String("listener", "", "more of the listener")
	if err := f.Parse(args); err != nil {
		return err
	}
	reveal := func(gateway.ID) (gateway.Material, bool) {
		return gateway.NewMaterial(map[string][]byte{"access_key": []byte("AKIABENCH"), "secret_key": []byte("bench")}), true
	}
	p, err := stack.WithFunctions(context.Background(), reveal)
	if err != nil {
		return err
	}
	p.Fill(stack.Size{
		Base:      map[string]string{"base/gateway.hcl": functionBase(*port, *listener, *up, *service, *platform)},
		Documents: functionDocuments(*n), Static: []string{*up, *service},
	})
	found := map[string][]*gateway.Function{"lambda": lambdas(*n)}
	if found["openapi"], err = listed(*n, 0); err != nil {
		return err
	}
	if found["grpc"], err = reflected(*service); err != nil {
		return err
	}
	p.Found(found, map[gateway.ID]string{{Kind: gateway.KindSecret, Name: "aws"}: "1"})
	if err := p.Well(time.Minute); err != nil {
		return err
	}
	ready(strconv.Itoa(p.Port))
	var read []*gateway.Function
	serve(func(line string) string {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "read":
			number, _ := strconv.Atoi(rest) // written by this program
			if read, err = listed(*n, number); err != nil {
				return err.Error()
			}
		case "update":
			p.FoundAgain("openapi", read)
		default:
			return profiled(line)
		}
		return "done"
	})
	return nil
}
