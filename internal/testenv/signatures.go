package testenv

import (
	"bytes"
	"context"
	_ "embed" // the program that signs again
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"
)

//go:embed signatures.py
var signaturesProgram string

// VerifySignatures signs each request again with botocore and the key that it names, and says what differs: one sentence
// for each request that AWS would refuse, none when all are well signed. It looks at the signature, the hash of the
// body, the session token and the date (5 minutes around the arrival).
func VerifySignatures(t testing.TB, requests []RecordedRequest, keys ...*AWSKey) (wrong []string) {
	t.Helper()
	type key struct{ Secret, Session string }
	in := struct {
		Requests []RecordedRequest `json:"requests"`
		Keys     map[string]key    `json:"keys"`
	}{requests, map[string]key{}}
	for _, k := range keys {
		in.Keys[k.ID] = key{k.Secret, k.Session}
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatalf("write the requests to verify: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-c", signaturesProgram)
	var out, log bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = pythonEnv(t), bytes.NewReader(text), &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("sign again with botocore: %v\n%s", err, log.Bytes())
	}
	var found []struct {
		Index int    `json:"index"`
		Why   string `json:"why"`
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatalf("read what botocore says: %v", err)
	}
	for _, f := range found {
		r := requests[f.Index]
		wrong = append(wrong, fmt.Sprintf("request %d, %s %s: %s", f.Index, r.Method, r.Target, f.Why))
	}
	return wrong
}
