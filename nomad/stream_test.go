package nomad

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

const registration = `{"Index":7,"Events":[{"Topic":"Service","Type":"ServiceRegistration","Key":"id","Namespace":"default","FilterKeys":["job","shop"],"Index":7,` +
	`"Payload":{"Service":{"ID":"id","ServiceName":"shop","Namespace":"default","NodeID":"n","Datacenter":"dc1","JobID":"job","AllocID":"a","Tags":["x"],"Address":"10.0.0.1","Port":80,"CreateIndex":7,"ModifyIndex":7}}}]}`

func TestLines(t *testing.T) {
	reg := &api.ServiceRegistration{
		ID: "id", ServiceName: "shop", Namespace: "default", NodeID: "n", Datacenter: "dc1", JobID: "job", AllocID: "a", Tags: []string{"x"},
		Address: "10.0.0.1", Port: 80, CreateIndex: 7, ModifyIndex: 7,
	}
	replaced := func(a, b string) string { return strings.Replace(registration, a, b, 1) }
	for line, want := range map[string]batch{
		"{}":         {},
		registration: {index: 7, changes: []change{{reg: reg}}},
		replaced("ServiceRegistration", "ServiceDeregistration"): {index: 7, changes: []change{{reg: reg, gone: true}}},
		replaced("ServiceRegistration", "AllocationUpdated"):     {index: 7, changes: []change{{reg: reg, read: true}}},
		replaced(`"Service"`, `"Job"`):                           {index: 7},
	} {
		have, err := parseLine([]byte(line))
		if d := cmp.Diff(want, have, cmp.AllowUnexported(batch{}, change{})); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", line, err, d)
		}
	}
	for _, line := range []string{
		"", "[]", `{"Index":7`, `{"Error":"closed by server"}`, `{"Err":{}}`, replaced(`"Index":7`, `"Index":0`),
		replaced(`"ServiceName":"shop"`, `"ServiceName":""`), replaced(`"Service":{`, `"Other":{`),
	} {
		if b, err := parseLine([]byte(line)); err == nil {
			t.Errorf("%s: %+v", line, b)
		}
	}
}

// FuzzLine: whatever a line holds, it is refused or names services that can be kept.
func FuzzLine(f *testing.F) {
	f.Add([]byte(registration))
	f.Add([]byte("{}"))
	f.Add([]byte(`{"Index":1,"Events":[{"Topic":"Service","Payload":{"Service":null}}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		b, err := parseLine(line)
		if err != nil && (b.index != 0 || b.changes != nil) {
			t.Errorf("an error, and %+v", b)
		}
		e := newEntry("shop")
		e.known = true
		for _, c := range b.changes {
			if c.reg == nil || c.reg.ID == "" || c.reg.ServiceName == "" || b.index == 0 {
				t.Errorf("%+v", c)
			}
			e.take(b.index, c)
		}
		for _, r := range e.sorted() {
			if got, err := endpoint(r, ""); err == nil && (got.Port == 0 || got.Address == "") {
				t.Errorf("%+v", got)
			}
		}
	})
}

// FuzzIdentity: whatever stands in the place of an identity is looked at without harm.
func FuzzIdentity(f *testing.F) {
	f.Add(jwt)
	f.Add("a.e30.c")
	f.Fuzz(func(t *testing.T, text string) {
		if isIdentity(text) {
			_ = identityLives(text, time.Now())
		}
	})
}

// TestEntry: what a read holds, and events in whatever order, is never undone by what is older.
func TestEntry(t *testing.T) {
	reg := func(id string, port int) *api.ServiceRegistration {
		return &api.ServiceRegistration{ID: id, ServiceName: "shop", Port: port}
	}
	ports := func(e *entry) string {
		out := map[string]int{}
		for id, r := range e.regs {
			out[id] = r.Port
		}
		text, _ := json.Marshal(out)
		return string(text)
	}
	e := newEntry("shop")
	e.reading = true
	e.take(5, change{reg: reg("a", 1)})              // in the answer
	e.take(12, change{reg: reg("b", 2)})             // not in the answer
	e.take(13, change{reg: reg("a", 1), gone: true}) // nor this
	if !e.read(10, []*api.ServiceRegistration{reg("a", 1), reg("c", 3)}) || ports(e) != `{"b":2,"c":3}` {
		t.Errorf("after the first read: %s", ports(e))
	}
	e.reading = false
	for _, old := range []uint64{5, 10, 12} {
		if changed, _ := e.take(old, change{reg: reg("a", 9)}); changed {
			t.Errorf("an event of index %d counts", old)
		}
	}
	if e.read(11, nil) || ports(e) != `{"b":2,"c":3}` {
		t.Errorf("an older answer counts: %s", ports(e))
	}
	if changed, read := e.take(14, change{reg: reg("c", 3), read: true}); changed || !read {
		t.Error("an event that does not say what happened")
	}
	e.forget()
	if changed, _ := e.take(3, change{reg: reg("d", 4)}); !changed || ports(e) != `{"b":2,"c":3,"d":4}` {
		t.Errorf("after the index went back: %s", ports(e))
	}
	for tags, want := range map[string]bool{"": false, "x": true} {
		list := map[string][]string{"shop": nil}
		if tags != "" {
			list["shop"] = []string{tags}
		}
		if e.differs(list) != want {
			t.Errorf("differs with %v: not %t", list, want)
		}
	}
	if !e.differs(nil) {
		t.Error("a list without the service does not differ")
	}
}
