package testenv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// jobs registers or purges a job as far as its services go: each instance of a group registers those whose provider is
// Nomad at once, on loopback, with a port of its own.
func (n *Nomad) jobs(w http.ResponseWriter, r *http.Request, who *nomadToken, at space, id string) {
	n.mu.Lock()
	allowed := n.may(who, at.namespace, "submit-job")
	n.mu.Unlock()
	if !allowed {
		http.Error(w, "Permission denied", http.StatusForbidden)
		return
	}
	var wanted []*api.ServiceRegistration
	if r.Method != http.MethodDelete {
		var in struct{ Job *api.Job }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Job == nil || in.Job.ID == nil {
			http.Error(w, "no job", http.StatusBadRequest)
			return
		}
		id = *in.Job.ID
		wanted = n.instancesOf(in.Job, at.namespace)
	}
	keep := map[string]bool{}
	for _, s := range wanted {
		keep[s.ID] = true
	}
	n.mu.Lock()
	var gone []string
	var added []*api.ServiceRegistration
	for _, s := range n.services[at] {
		if s.JobID == id && !keep[s.ID] {
			gone = append(gone, s.ID)
		}
	}
	for _, s := range wanted {
		if n.services[at][s.ID] == nil {
			added = append(added, s)
		}
	}
	n.mu.Unlock()
	if slices.Sort(gone); len(gone) > 0 {
		n.Lose(at.namespace, gone...)
	}
	if len(added) > 0 {
		n.RegisterIn(at.region, added...)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.write(w, map[string]any{"EvalID": "", "JobModifyIndex": n.index})
}

func (n *Nomad) instancesOf(job *api.Job, namespace string) (out []*api.ServiceRegistration) {
	for g, group := range job.TaskGroups {
		services := slices.Clone(group.Services)
		for _, t := range group.Tasks {
			services = append(services, t.Services...)
		}
		for i := range *group.Count {
			for k, s := range services {
				if s.Provider != "nomad" {
					continue
				}
				r := n.Service(s.Name, fmt.Sprintf("%s-%d-%d", *job.ID, g, i), "127.0.0.1", 20000+100*i+k, s.Tags...)
				r.JobID, r.Namespace = *job.ID, namespace
				out = append(out, r)
			}
		}
	}
	return out
}

// isJobs says that a request registers or purges a job, and which.
func isJobs(r *http.Request, p string) (id string, ok bool) {
	switch r.Method {
	case http.MethodPut, http.MethodPost:
		return "", p == "jobs"
	case http.MethodDelete:
		return strings.CutPrefix(p, "job/")
	}
	return "", false
}
