package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	planeJob = "../../nomad/jobs/control-plane.nomad.hcl"
	edgeJob  = "../../nomad/jobs/edge.nomad.hcl"
)

// TestNomadJobsAreWhatNomadKnows checks the job files that sluice ships.
func TestNomadJobsAreWhatNomadKnows(t *testing.T) {
	t.Parallel()
	for _, path := range []string{planeJob, edgeJob} {
		job, err := readJob(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range checkJob(job) {
			t.Error(wrong)
		}
		for _, b := range append(job.all("template"), append(job.all("vault"), job.all("identity")...)...) {
			if b.text("change_mode") != "noop" {
				t.Errorf("%s: this %s may restart the task: change_mode is %q", b.at, b.kind, b.text("change_mode"))
			}
		}
		for _, task := range job.all("task") {
			if task.text("kill_signal") != "SIGTERM" || task.text("driver") != "exec" {
				t.Errorf("%s is ended by %q, driver %q", task.labels, task.text("kill_signal"), task.text("driver"))
			}
		}
		if len(job.all("connect")) > 0 {
			t.Errorf("%s has a sidecar", path)
		}
	}
}

// TestNomadJobsKeepTheirPromises checks what names alone do not show.
func TestNomadJobsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	plane, err := readJob(planeJob, nil)
	if err != nil {
		t.Fatal(err)
	}
	update := plane.all("update")[0]
	if update.text("canary") != "1" || update.text("auto_revert") != "true" || update.text("health_check") != "checks" {
		t.Errorf("update is %v", update.attrs)
	}
	if n := plane.all("group")[0].text("count"); n != "2" && n != "3" {
		t.Errorf("%s replicas", n)
	}
	if disk := plane.all("ephemeral_disk")[0]; disk.text("sticky") != "true" {
		t.Errorf("the last good world does not stay: %v", disk.attrs)
	}
	edge, err := readJob(edgeJob, nil)
	if err != nil {
		t.Fatal(err)
	}
	if edge.text("type") != "system" || edge.all("network")[0].text("mode") != "host" {
		t.Errorf("type %s, network %s", edge.text("type"), edge.all("network")[0].text("mode"))
	}
	task := edge.all("task")[0]
	args := task.all("config")[0].list("args")
	drain := duration(t, args[slices.Index(args, "-drain-time")+1])
	// A client's max_kill_timeout is 30s unless its operator says otherwise.
	if kill := duration(t, task.text("kill_timeout")); kill <= drain || kill > 30*time.Second {
		t.Errorf("killed after %s, and drains for %s", kill, drain)
	}
	for _, p := range edge.all("port") {
		if p.labels[0] != "admin" && p.text("static") == "" {
			t.Errorf("the port %s is not static", p.labels)
		}
	}
	with, err := readJob(edgeJob, map[string]string{"artifacts": `["https://example.com/a.tar.gz", "https://example.com/b.tar.gz"]`})
	if err != nil {
		t.Fatal(err)
	}
	if got := with.all("artifact"); len(got) != 2 || got[1].text("source") != "https://example.com/b.tar.gz" {
		t.Errorf("%d artifacts", len(got))
	}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAMistakeInAJobFileIsFound breaks the files in ways that a slip of the hand may.
func TestAMistakeInAJobFileIsFound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ path, from, to, want string }{
		{planeJob, "auto_revert ", "auto_rever ", `no attribute "auto_rever"`},
		{planeJob, "change_mode = \"noop\"", "changemode = \"noop\"", `no attribute "changemode"`},
		{planeJob, "  update {", "  updat {", `no block "updat"`},
		{planeJob, "      check {", "      chek {", `no block "chek"`},
		{planeJob, "kill_timeout = \"15s\"", "kill_timeout = \"15 s\"", "unknown unit"},
		{planeJob, "attempts = 3", "attempts = \"three\"", "number"},
		{planeJob, "sticky  = true", "sticky  = \"sure\"", "bool"},
		{planeJob, "aud         = [var.consul_audience]", "aud = { a = 1 }", "list"},
		{planeJob, "port \"api\" {}", "port {}", "0 labels"},
		{planeJob, "command = var.sluice", "comand = var.sluice", `no "comand"`},
		{planeJob, "    ephemeral_disk {", "    update {\n    }\n    ephemeral_disk \"x\" {", "1 labels"},
		{planeJob, "    restart {", "    restart {\n}\n    restart {", `two blocks "restart"`},
		{planeJob, "var.count", "var.cont", "cont"},
		{planeJob, "${NOMAD_TASK_DIR}", "${NOMD_TASK_DIR}", "NOMD_TASK_DIR"},
		{edgeJob, "join(", "jion(", "jion"},
		{edgeJob, "for_each =", "foreach =", "for_each"},
		{edgeJob, "default     = 80", "default     = \"eighty\"", "number"},
		{edgeJob, "job \"sluice-edge\" {", "job \"sluice-edge\" {{", ""},
	} {
		text, err := os.ReadFile(tc.path)
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.Replace(string(text), tc.from, tc.to, 1)
		if broken == string(text) {
			t.Errorf("%s has no %q", tc.path, tc.from)
			continue
		}
		job, err := parseJob(tc.path, []byte(broken), nil)
		said := ""
		if err != nil {
			said = err.Error()
		} else {
			said = strings.Join(checkJob(job), "\n")
		}
		if said == "" || !strings.Contains(said, tc.want) {
			t.Errorf("%q instead of %q: %q", tc.to, tc.from, said)
		}
	}
	if _, err := readJob(planeJob, map[string]string{"cuont": "3"}); err == nil || !strings.Contains(err.Error(), "cuont") {
		t.Errorf("a variable that is not there: %v", err)
	}
}
