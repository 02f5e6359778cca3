package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// TestNomadPlansTheJobs asks Nomad what it would do with the shipped jobs: the one at NOMAD_ADDR, else one that knows as
// much of jobs as this package does.
func TestNomadPlansTheJobs(t *testing.T) {
	t.Parallel()
	cfg := api.DefaultConfig()
	if os.Getenv("NOMAD_ADDR") == "" {
		fake := httptest.NewServer(http.HandlerFunc(planner))
		t.Cleanup(fake.Close)
		cfg = &api.Config{Address: fake.URL}
	}
	client, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for path, vars := range map[string]string{
		planeJob: `vault_address = "https://vault.example.com:8200"`,
		edgeJob:  `artifacts = ["https://example.com/sluice.tar.gz"]`,
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan(client, string(text), vars); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		// Nomad finds mistakes: a plan that cannot fail would say nothing.
		broken := strings.Replace(string(text), "kill_signal", "kil_signal", 1)
		if err := plan(client, broken, vars); err == nil || !strings.Contains(err.Error(), "kil_signal") {
			t.Errorf("%s with a mistake: %v", path, err)
		}
	}
}

func plan(client *api.Client, text, vars string) error {
	job, err := client.Jobs().ParseHCLOpts(&api.JobsParseRequest{JobHCL: text, Variables: vars, Canonicalize: true})
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	answer, _, err := client.Jobs().Plan(job, true, nil)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if answer.Warnings != "" {
		return fmt.Errorf("nomad warns: %s", answer.Warnings)
	}
	return nil
}

// planner parses jobs as this package does, and plans what it has parsed.
func planner(w http.ResponseWriter, r *http.Request) {
	reply := func(v any) { _ = json.NewEncoder(w).Encode(v) } // a client that has gone misses nothing
	switch path := strings.Trim(r.URL.Path, "/"); {
	case path == "v1/jobs/parse":
		var ask api.JobsParseRequest
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		vars := map[string]string{}
		for line := range strings.Lines(ask.Variables) {
			name, value, _ := strings.Cut(line, " = ")
			vars[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
		job, err := parseJob("job.hcl", []byte(ask.JobHCL), vars)
		if err == nil {
			if wrong := checkJob(job); len(wrong) > 0 {
				err = fmt.Errorf("%s", strings.Join(wrong, "\n"))
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id, kind := job.text("id"), job.text("type")
		reply(api.Job{ID: &id, Name: &job.labels[0], Type: &kind})
	case strings.HasSuffix(path, "/plan"):
		var ask api.JobPlanRequest
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || ask.Job == nil || "v1/job/"+*ask.Job.ID+"/plan" != path {
			http.Error(w, "no job, or another one", http.StatusBadRequest)
			return
		}
		reply(api.JobPlanResponse{})
	default:
		http.NotFound(w, r)
	}
}
