package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// unit are the settings of a unit file: what each key was given, in order.
type unit map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	u, section := unit{}, ""
	text := strings.ReplaceAll(string(readFile(t, name)), "\\\n", "")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = line
		case !ok || section == "":
			t.Errorf("%s: what is %q?", name, line)
		default:
			u[key] = append(u[key], value)
		}
	}
	return u
}

// one is the last value that a key was given.
func (u unit) one(key string) string {
	if list := u[key]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

const controlPlane, edges = "systemd/sluice.service", "systemd/sluice-envoy@.service"

// unitFolder lays the units out for systemd-analyze, with the binary that was built and the drop-ins that are documented.
func unitFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(from, to string) {
		text := strings.ReplaceAll(string(readFile(t, from)), "/usr/bin/sluice", made.binary)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, to)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(controlPlane, "sluice.service")
	write(edges, "sluice-envoy@.service")
	write(edges, "sluice-envoy@edge.service") // security takes no instances
	write("examples/credentials.conf", "sluice.service.d/credentials.conf")
	write("examples/envoy-credentials.conf", "sluice-envoy@.service.d/credentials.conf")
	return dir
}

// analyze runs systemd-analyze; without it the test fails: it belongs to the package systemd.
func analyze(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestSystemdTakesTheUnits(t *testing.T) {
	dir := unitFolder(t)
	for _, name := range []string{"sluice.service", "sluice-envoy@edge.service"} {
		if out := analyze(t, dir, "verify", "--man=no", filepath.Join(dir, name)); strings.Contains(out, dir) || strings.Contains(out, "sluice") {
			t.Errorf("systemd says of %s:\n%s", name, out)
		}
	}
}

// What systemd calls exposure, from 0 to 10 in tenths, must not grow. The edge's is higher by what Lua and low ports need.
func TestUnitsAreHardened(t *testing.T) {
	dir := unitFolder(t)
	for name, most := range map[string]string{"sluice.service": "13", "sluice-envoy@edge.service": "18"} {
		out := analyze(t, dir, "security", "--offline=yes", "--no-pager", "--threshold="+most, filepath.Join(dir, name))
		if i := strings.Index(out, "Overall"); i >= 0 {
			t.Log(strings.TrimSpace(out[i:]))
		}
	}
}

func TestUnitsSayWhatTheProgramsDo(t *testing.T) {
	plane, edge := readUnit(t, controlPlane), readUnit(t, edges)
	for name, u := range map[string]unit{controlPlane: plane, edges: edge} {
		for key, want := range map[string]string{"Type": "notify", "Restart": "always", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "UMask": "0077"} {
			if got := u.one(key); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		if s := seconds(t, u.one("WatchdogSec")); s < 10*time.Second {
			t.Errorf("%s: the watchdog waits for %v, which a busy machine may need", name, s)
		}
		if !slices.Contains(u["ExecReload"], "/bin/kill -HUP $MAINPID") {
			t.Errorf("%s: a reload does %q", name, u["ExecReload"])
		}
	}
	if got := plane.one("CapabilityBoundingSet"); got != "" || len(plane["AmbientCapabilities"]) == 0 || plane.one("AmbientCapabilities") != "" {
		t.Errorf("the control plane may do %q", got)
	}
	if got := edge.one("AmbientCapabilities"); got != "CAP_NET_BIND_SERVICE" || edge.one("KillMode") != "mixed" {
		t.Errorf("the edge may do %q, and is killed by %q", got, edge.one("KillMode"))
	}
	if plane.one("User") == edge.one("User") {
		t.Error("what faces clients runs as the control plane does")
	}

	// After the drain come the last requests (5 s), and Envoy's end (10 s).
	drain := regexp.MustCompile(`SLUICE_DRAIN_TIME=(\S+)`).FindStringSubmatch(edge.one("Environment") + strings.Join(edge["Environment"], " "))
	if len(drain) != 2 || seconds(t, edge.one("TimeoutStopSec")) < seconds(t, strings.TrimSuffix(drain[1], "s"))+15*time.Second {
		t.Errorf("the drain lasts %v, and systemd kills after %s s", drain, edge.one("TimeoutStopSec"))
	}
}

// Every flag of the units is one of the program, and every variable of their command lines has a value and is in envoy.env.
func TestUnitsUseFlagsThatExist(t *testing.T) {
	plane, edge := readUnit(t, controlPlane), readUnit(t, edges)
	for _, c := range []struct {
		line    string
		command []string
	}{
		{plane.one("ExecStart"), []string{"server"}}, {plane["ExecReload"][0], []string{"server"}}, {edge.one("ExecStart"), []string{"envoy", "run"}},
	} {
		help, err := output(nil, made.binary, append(c.command, "-help")...)
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range regexp.MustCompile(`\s-[a-z-]+`).FindAllString(c.line, -1) {
			if !regexp.MustCompile(`(?m)^\s+` + strings.TrimSpace(flag) + `\b`).MatchString(help) {
				t.Errorf("sluice %s has no flag %s:\n%s", strings.Join(c.command, " "), flag, help)
			}
		}
	}
	set, settings := strings.Join(edge["Environment"], " "), string(readFile(t, "config/envoy.env"))
	for _, v := range regexp.MustCompile(`\$\{?(SLUICE_[A-Z_]+)`).FindAllStringSubmatch(edge.one("ExecStart"), -1) {
		if !strings.Contains(set, v[1]+"=") || !strings.Contains(settings, v[1]+"=") {
			t.Errorf("%s has no value in the unit, or is not in envoy.env", v[1])
		}
	}
}

// What the examples load is what the first configuration names.
func TestCredentialsHaveTheNamesOfTheConfiguration(t *testing.T) {
	var loaded []string
	for _, v := range readUnit(t, "examples/credentials.conf")["LoadCredential"] {
		name, _, _ := strings.Cut(v, ":")
		loaded = append(loaded, name)
	}
	for _, m := range regexp.MustCompile(`/run/credentials/sluice.service/([^"]+)"`).FindAllStringSubmatch(string(readFile(t, "config/server.hcl")), -1) {
		if !slices.Contains(loaded, m[1]) {
			t.Errorf("server.hcl names the credential %s, and the example loads %v", m[1], loaded)
		}
	}
	if got := readUnit(t, "examples/notify-reload.conf"); got.one("Type") != "notify-reload" || slices.Contains(got["ExecReload"], "/bin/kill -HUP $MAINPID") {
		t.Errorf("with notify-reload systemd itself sends the signal: %v", got)
	}
}

func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text + "s")
	if err != nil {
		t.Fatal(err)
	}
	return d
}
