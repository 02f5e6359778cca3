package testenv

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// serve answers one request of Nomad's API.
func (n *Nomad) serve(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.calls[r.URL.Path]++
	n.mu.Unlock()
	f := n.fault(r.URL.Path)
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return
		case <-n.ended:
			return
		}
	}
	if n.broken(w, r, f) {
		return
	}
	n.mu.Lock()
	who := n.who(r.Header.Get("X-Nomad-Token"))
	n.mu.Unlock()
	if who == nil && r.URL.Path != "/v1/status/leader" && r.URL.Path != "/v1/regions" {
		http.Error(w, "ACL token not found", http.StatusForbidden)
		return
	}
	at := space{orElse(r.URL.Query().Get("region"), n.opts.Regions[0]), orElse(r.URL.Query().Get("namespace"), "default")}
	if !slices.Contains(n.opts.Regions, at.region) {
		http.Error(w, "No path to region", http.StatusInternalServerError)
		return
	}
	p := strings.TrimPrefix(r.URL.Path, "/v1/")
	id, submits := isJobs(r, p)
	switch {
	case submits:
		n.jobs(w, r, who, at, id)
	case p == "services":
		n.list(w, r, f, who, at)
	case strings.HasPrefix(p, "service/"):
		n.instances(w, r, f, who, at, strings.TrimPrefix(p, "service/"))
	case p == "event/stream":
		n.stream(w, r, f, who, at)
	default:
		n.small(w, r, who, at, p)
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// small answers what is asked now and then.
func (n *Nomad) small(w http.ResponseWriter, r *http.Request, who *nomadToken, at space, p string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kind, name, _ := strings.Cut(p, "/")
	switch {
	case p == "status/leader":
		n.write(w, "127.0.0.1:4647")
	case p == "regions":
		n.write(w, n.opts.Regions)
	case p == "namespaces":
		list := []*api.Namespace{}
		for _, ns := range n.namespaces {
			if n.may(who, ns, "") {
				list = append(list, &api.Namespace{Name: ns})
			}
		}
		n.write(w, list)
	case kind == "namespace" && !n.may(who, name, ""):
		http.Error(w, "Permission denied", http.StatusForbidden)
	case kind == "namespace" && slices.Contains(n.namespaces, name):
		n.write(w, &api.Namespace{Name: name})
	case p == "acl/token/self" && !n.opts.ACL:
		http.Error(w, "ACL support disabled", http.StatusBadRequest)
	case p == "acl/token/self" && who.workload:
		http.Error(w, "Permission denied", http.StatusForbidden)
	case p == "acl/token/self":
		n.write(w, &who.ACLToken)
	case p == "agent/self" && n.mayAgent(who):
		n.write(w, map[string]any{"config": map[string]any{
			"Region": at.region, "Limits": map[string]any{"HTTPMaxConnsPerClient": 100},
		}})
	case kind == "job" && n.may(who, at.namespace, "read-job"):
		http.Error(w, "job not found", http.StatusNotFound)
	case strings.HasPrefix(p, "client/allocation/") && strings.HasSuffix(p, "/checks"):
		n.allocChecks(w, who, strings.TrimSuffix(strings.TrimPrefix(p, "client/allocation/"), "/checks"))
	case kind == "job" || p == "agent/self":
		http.Error(w, "Permission denied", http.StatusForbidden)
	default:
		http.NotFound(w, r)
	}
}

func (n *Nomad) allocChecks(w http.ResponseWriter, who *nomadToken, alloc string) {
	for at, list := range n.services {
		for _, r := range list {
			if r.AllocID != alloc {
				continue
			}
			if !n.may(who, at.namespace, "read-job") {
				http.Error(w, "Permission denied", http.StatusForbidden)
				return
			}
			n.write(w, n.checks[alloc])
			return
		}
	}
	http.Error(w, "Unknown allocation", http.StatusNotFound)
}

// list answers /v1/services, at once or when it changes.
func (n *Nomad) list(w http.ResponseWriter, r *http.Request, f NomadFault, who *nomadToken, at space) {
	n.mu.Lock()
	all := at.namespace == "*"
	if !all && !who.workload && !n.may(who, at.namespace, "read-job") {
		n.mu.Unlock()
		http.Error(w, "Permission denied", http.StatusForbidden)
		return
	}
	n.mu.Unlock()
	if !f.Restive && !n.await(r, at.region+"/"+at.namespace) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out, read := []*api.ServiceRegistrationListStub{}, false
	for _, ns := range n.namespaces {
		if ns != at.namespace && (!all || !n.may(who, ns, "read-job")) {
			continue
		}
		read = true
		tags := map[string][]string{}
		for _, s := range n.services[space{at.region, ns}] {
			tags[s.ServiceName] = append(tags[s.ServiceName], s.Tags...)
		}
		stub := &api.ServiceRegistrationListStub{Namespace: ns}
		for name, list := range tags {
			slices.Sort(list)
			stub.Services = append(stub.Services, &api.ServiceRegistrationStub{ServiceName: name, Tags: slices.Compact(list)})
		}
		if len(stub.Services) > 0 {
			out = append(out, stub)
		}
	}
	index := n.index
	if all && !read {
		index = 0 // as Nomad does: 200, nothing, and no index
	}
	if !f.NoIndex {
		n.meta(w, index)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// instances answers /v1/service/NAME.
func (n *Nomad) instances(w http.ResponseWriter, r *http.Request, f NomadFault, who *nomadToken, at space, name string) {
	n.mu.Lock()
	ok := who.workload || n.may(who, at.namespace, "read-job")
	n.mu.Unlock()
	if !ok {
		http.Error(w, "Permission denied", http.StatusForbidden)
		return
	}
	if !n.await(r, at.region+"/"+at.namespace+"/"+name) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []*api.ServiceRegistration{}
	for _, s := range n.services[at] {
		if s.ServiceName == name {
			out = append(out, s)
		}
	}
	if !f.NoIndex {
		n.meta(w, n.index)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// await blocks a query until what it watches has changed or its time is over. False: nobody waits for the answer.
func (n *Nomad) await(r *http.Request, what string) bool {
	q := r.URL.Query()
	after, _ := strconv.ParseUint(q.Get("index"), 10, 64)
	wait, err := time.ParseDuration(q.Get("wait"))
	if err != nil || wait <= 0 {
		wait = 5 * time.Minute
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	n.mu.Lock()
	cut, blocks := n.cutQueries, after > 0 && n.index <= after
	n.mu.Unlock()
	for blocks {
		n.mu.Lock()
		changed, touched, stop, mute := n.changed, n.touched[what], n.cutQueries != cut, n.mute
		n.mu.Unlock()
		switch {
		case stop && !mute:
			panic(http.ErrAbortHandler)
		case touched > after && !mute:
			return true
		}
		select {
		case <-changed:
		case <-over.C:
			return true
		case <-r.Context().Done():
			return false
		case <-n.ended:
			return false
		}
	}
	return true
}

// stream answers /v1/event/stream.
func (n *Nomad) stream(w http.ResponseWriter, r *http.Request, f NomadFault, who *nomadToken, at space) {
	n.mu.Lock()
	allowed := n.may(who, at.namespace, "read-job")
	n.mu.Unlock()
	out := http.NewResponseController(w)
	if !allowed {
		if f.Late {
			w.WriteHeader(http.StatusOK)
			_ = out.Flush()
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "Permission denied", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}\n"))
	_ = out.Flush()
	if f.Cut {
		panic(http.ErrAbortHandler)
	}
	after, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	next, cut := n.closest(after)
	beat := time.NewTicker(n.opts.Heartbeat)
	defer beat.Stop()
	for {
		n.mu.Lock()
		changed, mute, stop := n.changed, n.mute, n.cut != cut
		lines := []byte(nil)
		stop = stop || next < n.first // a slow reader is cut
		for ; !mute && !stop && next-n.first < len(n.events); next++ {
			if e := n.events[next-n.first]; e.space == at {
				lines = append(lines, e.line...)
			}
		}
		n.mu.Unlock()
		if stop && !mute {
			panic(http.ErrAbortHandler)
		}
		if _, err := w.Write(lines); err != nil {
			return
		}
		_ = out.Flush()
		select {
		case <-changed:
		case <-beat.C:
			if !mute {
				_, _ = w.Write([]byte("{}\n"))
			}
		case <-r.Context().Done():
			return
		case <-n.ended:
			return
		}
	}
}

// closest is where a subscriber begins: at an index, or as close to it as the buffer has it.
func (n *Nomad) closest(index uint64) (position, cut int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := max(0, len(n.events)-n.opts.Buffer)
	for ; index > 0 && i < len(n.events)-1 && n.events[i].index < index; i++ {
	}
	return n.first + i, n.cut
}

func (*Nomad) meta(w http.ResponseWriter, index uint64) {
	w.Header().Set("X-Nomad-Index", strconv.FormatUint(index, 10))
	w.Header().Set("X-Nomad-LastContact", "0")
	w.Header().Set("X-Nomad-KnownLeader", "true")
}

func (n *Nomad) write(w http.ResponseWriter, v any) {
	n.meta(w, n.index)
	_ = json.NewEncoder(w).Encode(v)
}
