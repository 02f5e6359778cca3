package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const (
	rotations           = 10
	rotationConnections = 8
	rotationRate        = 300 // requests a second
)

// rotation exchanges the credentials of a Lambda upstream in Vault again and again while its function is called, and
// has every signature checked by an implementation that is not ours.
func rotation(s *stage) {
	sim, vault := helloLambda(s), testenv.StartVault(s, testenv.VaultOptions{})
	vault.Mount("bench", "kv", map[string]string{"version": "2"})
	keys := &rotatingKeys{s: s, vault: vault.Client()}
	keys.next()
	port := testenv.FreePort(s)
	agent := fmt.Sprintf("vault {\n  address = %q\n  auth \"token_file\" {\n    path = %q\n  }\n}\n", vault.Addr, s.file("token", vault.Token))
	const secret = "vault_kv {\n    mount    = \"bench\"\n    path     = \"aws\"\n    interval = \"1s\"\n  }"
	s.onDisk(fmt.Sprintf(listening+lambdaDocument, port, secret, sim.Endpoint), agent)
	s.awaitStatus(s.prober(port), request(hostName(0), "/hello"), 200)

	load := testenv.Load(s.ctx, s, "http://127.0.0.1:"+strconv.Itoa(port)+"/hello", testenv.LoadOptions{
		Connections: rotationConnections, Rate: rotationRate, Host: hostName(0),
	})
	for range rotations {
		load.WaitRequests(s, 50)
		keys.next()
		keys.await(sim)
	}
	load.WaitRequests(s, 50)
	out := load.Stop()
	var calls []testenv.RecordedRequest
	for _, r := range sim.Requests() {
		if isCall(r) {
			calls = append(calls, r)
		}
	}
	wrong := testenv.VerifySignatures(s, calls, keys.all...)
	for _, w := range wrong {
		s.Logf("%s", w)
	}
	name := fmt.Sprintf("rotation of AWS credentials, %d times under load: ", rotations)
	s.Logf("%s; %d calls", out, len(calls))
	s.note(Entry{Name: name + "failed requests", Unit: fmt.Sprintf("of %d", out.Requests), Value: float64(out.Failed())}.atMost(0))
	s.note(Entry{Name: name + "connections closed", Unit: fmt.Sprintf("of %d", rotationConnections), Value: float64(out.Dialed - rotationConnections)}.atMost(0))
	s.note(Entry{Name: name + "wrongly signed requests", Unit: fmt.Sprintf("of %d", len(calls)), Value: float64(len(wrong))}.atMost(0))
}

func isCall(r testenv.RecordedRequest) bool { return strings.Contains(r.Target, "/invocations") }

// rotatingKeys is one secret of Vault and all that it ever held.
type rotatingKeys struct {
	s     *stage
	vault *api.Client
	all   []*testenv.AWSKey
}

// next writes another key.
func (k *rotatingKeys) next() {
	n := len(k.all)
	key := &testenv.AWSKey{ID: fmt.Sprintf("AKIABENCH%02d", n), Secret: fmt.Sprintf("secret-%d", n), Session: fmt.Sprintf("session-%d", n)}
	k.all = append(k.all, key)
	_, err := k.vault.KVv2("bench").Put(k.s.ctx, "aws", map[string]any{
		"access_key": key.ID, "secret_key": key.Secret, "security_token": key.Session,
	})
	k.s.must(err)
}

// await waits until the last key signs calls.
func (k *rotatingKeys) await(sim *testenv.LambdaSimulator) {
	want := "=" + k.all[len(k.all)-1].ID + "/"
	testenv.Eventually(k.s, 30*time.Second, func() error {
		for _, r := range slices.Backward(sim.Requests()) {
			if !isCall(r) {
				continue
			}
			if strings.Contains(r.Header.Get("Authorization"), want) {
				return nil
			}
			break
		}
		return fmt.Errorf("%s signs no call yet", want)
	})
}

// file writes a file that ends with the stage.
func (s *stage) file(name, text string) (path string) {
	path = filepath.Join(s.TempDir(), name)
	s.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}
