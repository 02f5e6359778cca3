package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/sluice-gateway/sluice/gateway"
)

// parsed is slices as they come from a list.
func parsed(t testing.TB, list ...object) []*slice {
	t.Helper()
	for i, o := range list {
		o["metadata"].(object)["resourceVersion"] = fmt.Sprint(i + 1)
	}
	text, err := json.Marshal(object{"kind": "EndpointSliceList", "metadata": object{"resourceVersion": "9"}, "items": list})
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePage(text)
	if err != nil {
		t.Fatal(err)
	}
	return p.slices
}

func bare(address string) object { return object{"addresses": []string{address}} }

func TestEndpoints(t *testing.T) {
	four := func(name string, ports []object, e ...object) object {
		return sliceOf("shop", name, "IPv4", ports, e...)
	}
	six := func(name string, ports []object, e ...object) object {
		return sliceOf("shop", name, "IPv6", ports, e...)
	}
	http := portOf("http", 8080)
	both := append(portOf("http", 8080), portOf("metrics", 9090)...)
	udp := []object{{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "http", "port": 8080}}
	for name, c := range map[string]struct {
		spec Spec
		list []object
		want []string // ID address:port health
		err  string
	}{
		"several slices": {
			list: []object{four("b", http, pod("shop-2", "10.0.0.2")), four("a", http, pod("shop-1", "10.0.0.1"))},
			want: []string{"shop-1 10.0.0.1:8080 passing", "shop-2 10.0.0.2:8080 passing"},
		},
		"conditions": {
			list: []object{four("a", http, pod("p1", "10.0.0.1", ready(false, false)), pod("p2", "10.0.0.2", ready(false, true)),
				pod("p3", "10.0.0.3", ready(true, true)), pod("p4", "10.0.0.4", object{"conditions": object{}}),
				pod("p5", "10.0.0.5", object{"conditions": object{"ready": false, "serving": true, "terminating": true}}))},
			want: []string{"p1 10.0.0.1:8080 critical", "p2 10.0.0.2:8080 draining", "p3 10.0.0.3:8080 draining", "p4 10.0.0.4:8080 passing", "p5 10.0.0.5:8080 draining"},
		},
		"a name with a number of its own in each slice": {
			spec: Spec{Port: "http"},
			list: []object{four("a", http, pod("p1", "10.0.0.1")), four("b", portOf("http", 9000), pod("p2", "10.0.0.2"))},
			want: []string{"p1 10.0.0.1:8080 passing", "p2 10.0.0.2:9000 passing"},
		},
		"a number":           {spec: Spec{Port: "7000"}, list: []object{four("a", both, pod("p1", "10.0.0.1"))}, want: []string{"p1 10.0.0.1:7000 passing"}},
		"a number, no ports": {spec: Spec{Port: "7000"}, list: []object{four("a", nil, pod("p1", "10.0.0.1"))}, want: []string{"p1 10.0.0.1:7000 passing"}},
		"udp does not count": {list: []object{four("a", udp, pod("p1", "10.0.0.1"))}, want: []string{"p1 10.0.0.1:8080 passing"}},
		"several ports":      {list: []object{four("a", both, pod("p1", "10.0.0.1"))}, err: `port must name one of "http", "metrics"`},
		"no such port":       {spec: Spec{Port: "web"}, list: []object{four("a", both, pod("p1", "10.0.0.1"))}, err: `no port is named "web"; there is "http", "metrics"`},
		"no port":            {list: []object{four("a", nil, pod("p1", "10.0.0.1"))}, err: "no TCP port: set port"},
		"no number":          {list: []object{four("a", []object{{"name": ""}}, pod("p1", "10.0.0.1"))}, err: "no number: set port"},
		"no pods":            {list: []object{four("a", nil)}},
		"nothing":            {},
		"both families": {
			list: []object{six("a", http, pod("p1", "fd00::1"), pod("p2", "fd00::2")), four("b", http, pod("p1", "10.0.0.1"))},
			want: []string{"p1 10.0.0.1:8080 passing", "p2 fd00::2:8080 passing"},
		},
		"IPv6": {
			spec: Spec{IPFamily: "ipv6"},
			list: []object{six("a", http, pod("p1", "fd00::1")), four("b", http, pod("p1", "10.0.0.1"), pod("p2", "10.0.0.2"))},
			want: []string{"p1 fd00::1:8080 passing"},
		},
		"IPv4": {
			spec: Spec{IPFamily: "ipv4"}, list: []object{six("a", http, pod("p1", "fd00::1")), four("b", http, pod("p1", "10.0.0.1"))},
			want: []string{"p1 10.0.0.1:8080 passing"},
		},
		"in two slices for a moment": {
			list: []object{four("a", http, pod("p1", "10.0.0.1", ready(false, false))), four("b", http, pod("p1", "10.0.0.1"))},
			want: []string{"p1 10.0.0.1:8080 passing"},
		},
		"written by hand": {
			list: []object{four("a", http, bare("10.0.0.1"), bare("10.0.0.2"), object{"addresses": []string{}})},
			want: []string{"10.0.0.1:8080 10.0.0.1:8080 passing", "10.0.0.2:8080 10.0.0.2:8080 passing"},
		},
		"another target": {
			list: []object{four("a", http, pod("vm-1", "10.0.0.1", object{"targetRef": object{"kind": "VirtualMachine", "name": "vm-1"}}))},
			want: []string{"virtualmachine/vm-1 10.0.0.1:8080 passing"},
		},
		"host names":  {list: []object{sliceOf("shop", "a", "FQDN", http, bare("shop.example.com"))}, err: "use a dns block"},
		"no address":  {list: []object{four("a", http, bare("10.0.0"))}, err: "is no IP address"},
		"a zoned one": {list: []object{six("a", http, bare("fe80::1%eth0"))}, err: "is no IP address"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.spec.endpoints(parsed(t, c.list...))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || got != nil {
					t.Fatalf("%v, %v, want %q", got, err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, e := range got {
				lines = append(lines, fmt.Sprintf("%s %s:%d %s", e.ID, e.Address, e.Port, e.Health))
			}
			if d := cmp.Diff(c.want, lines); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatAnEndpointIs(t *testing.T) {
	list := parsed(t, sliceOf("shop", "a", "IPv4", portOf("", 80), pod("shop-1", "10.0.0.1"), bare("10.0.0.2"), bare("10.0.0.3")))
	got, err := (&Spec{}).endpoints(list)
	want := []gateway.Endpoint{
		{ID: "10.0.0.2:80", Address: "10.0.0.2", Port: 80, Meta: map[string]string{"team": "blue"}},
		{ID: "10.0.0.3:80", Address: "10.0.0.3", Port: 80, Meta: map[string]string{"team": "blue"}},
		{
			ID: "shop-1", Address: "10.0.0.1", Port: 80, Locality: gateway.Locality{Zone: "a"},
			Meta: map[string]string{"team": "blue", "node": "node-1", "pod": "shop-1"},
		},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestSourceKey(t *testing.T) {
	all := []Spec{
		{Service: "a"}, {Service: "b"}, {Service: "a", Namespace: "b"}, {Service: "a", Port: "b"}, {Service: "a", IPFamily: "ipv6"}, {Service: "a", Connection: "b"},
	}
	keys := map[gateway.SourceKey]bool{}
	for _, s := range all {
		keys[s.SourceKey()] = true
	}
	if len(keys) != len(all) {
		t.Errorf("%v", keys)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string // summary and a piece of the detail
	}{
		{Spec{Service: "shop"}, ""},
		{Spec{Service: "shop", Namespace: "prod", Port: "http"}, ""},
		{Spec{Service: "shop", Port: "8080"}, ""},
		{Spec{Service: ""}, "Invalid service: no name of a service"},
		{Spec{Service: "Shop"}, "Invalid service: no name of a service"},
		{Spec{Service: "shop.prod.svc.cluster.local"}, `Invalid service: service = "shop" and namespace = "prod"`},
		{Spec{Service: "shop", Namespace: "a b"}, "Invalid namespace: no name of a namespace"},
		{Spec{Service: "shop", Port: "0"}, "Invalid port: from 1 to 65535"},
		{Spec{Service: "shop", Port: "65536"}, "Invalid port: from 1 to 65535"},
		{Spec{Service: "shop", Port: "http_1"}, "Invalid port: neither a number nor the name"},
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

// What is no list is an error, and never an empty one.
func TestWhatIsNoList(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `[]`, `null`, `{"kind":"PodList","metadata":{"resourceVersion":"1"}}`, `{"kind":"EndpointSliceList"}`,
		`{"kind":"EndpointSliceList","metadata":{"resourceVersion":"1"},"items":[{}]}`, `<html>`,
		`{"kind":"EndpointSliceList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a","resourceVersion":"1"},"ports":[{"port":70000}]}]}`,
		`{"kind":"EndpointSliceList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"`,
	} {
		if p, err := parsePage([]byte(text)); err == nil {
			t.Errorf("%s: %+v", text, p)
		}
	}
}

func FuzzParsePage(f *testing.F) {
	f.Add([]byte(`{"kind":"EndpointSliceList","metadata":{"resourceVersion":"1","continue":"x"},"items":[{"metadata":{"name":"a","resourceVersion":"1"},"addressType":"IPv4","ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.1"]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePage(text)
		if err != nil {
			return
		}
		endpoints, err := (&Spec{}).endpoints(p.slices)
		for _, e := range endpoints {
			if err != nil || e.ID == "" || e.Address == "" || e.Port == 0 {
				t.Errorf("%+v, %v", e, err)
			}
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"type":"ADDED","object":{"kind":"EndpointSlice","metadata":{"name":"a","resourceVersion":"1"}}}`))
	f.Add([]byte(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}`))
	f.Add([]byte(`{"type":"ERROR","object":{"kind":"Status","code":410}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := parseEvent(line)
		if err == nil && (e.version == "" || (e.slice == nil) != (e.kind == "BOOKMARK")) {
			t.Errorf("%+v", e)
		}
	})
}
