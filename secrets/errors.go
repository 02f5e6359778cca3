package secrets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

// fault says what an error means for what to do next.
type fault uint8

// The faults.
const (
	unreachable fault = iota // nobody answers, or not in a way that says anything: it passes
	refused                  // an answer that will be the same until somebody changes something
	absent                   // 404
	shape                    // the secret is there and is not what its block says
)

// problem is an error of this package. Its text holds nothing that a remote has said but words from the lists below,
// since an answer, or a message about it, may hold what was asked for.
type problem struct {
	kind   fault
	status int // of the answer; 0: none
	text   string
	cause  error // for errors.Is; never printed
}

func (p *problem) Error() string { return p.text }

// Unwrap gives what may be compared: the end of a context.
func (p *problem) Unwrap() error { return p.cause }

func shapef(format string, args ...any) error {
	return &problem{kind: shape, text: fmt.Sprintf(format, args...)}
}

func refusedf(format string, args ...any) error {
	return &problem{kind: refused, text: fmt.Sprintf(format, args...)}
}

// kindOf is unreachable for errors that are none of ours.
func kindOf(err error) fault {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.kind
	}
	return unreachable
}

func statusOf(err error) int {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.status
	}
	return 0
}

// phrases are what Vault, OpenBao and their engines say that helps and tells nothing. They are looked for in answers,
// whatever the case of their letters, and shown as they stand here.
var phrases = []string{
	"permission denied", "missing client token", "bad token", "invalid token", "token expired",
	"Vault is sealed", "Vault is not initialized", "in standby mode", "node not active", "removed from the HA cluster",
	"invalid role or secret ID", "invalid role ID", "invalid secret id", "role could not be found", "role not found",
	"unknown role", "Role does not exist", "unsupported operation", "unsupported path", "no handler for route",
	"wrapping token is not valid or does not exist", "quota exceeded", "rate limit", "lease not found", "invalid lease",
	"lease is not renewable", "error validating token", "token is expired", "invalid audience", "audience claim",
	"bound_claims", "invalid signature", "failed to match all constraints", "no client certificate", "client certificate must be supplied",
	"invalid certificate", "no chain matching", "claim", "Upgrading from non-versioned to versioned data", "deny",
	"entity is disabled", "missing X-Vault-AWS-IAM-Server-ID header", "Server-ID header", "InvalidClientTokenId",
	"AccessDenied", "SignatureDoesNotMatch", "ExpiredToken", "Throttling", "LimitExceeded", "NoSuchEntity", "EntityAlreadyExists",
	"MalformedPolicyDocument", "RequestLimitExceeded", "not authorized to perform", "context deadline exceeded", "connection refused",
	"no such host", "client nonce mismatch", "required index state not present",
}

// statuses are what Vault's own codes mean: those of a health check can come back from whatever stands before Vault.
var statuses = map[int]string{
	400: "bad request", 403: "permission denied", 404: "not found", 405: "not allowed", 412: "not caught up yet", 429: "too many requests, or a standby",
	472: "disaster recovery secondary", 473: "performance standby", 474: "standby without an active node", 500: "internal error",
	501: "not initialised", 502: "bad gateway", 503: "sealed, or down for maintenance", 504: "gateway timeout", 530: "removed from its cluster",
}

// said picks the known phrases from what a remote has said.
func said(texts []string) string {
	var found []string
	for _, t := range texts {
		low := strings.ToLower(t)
		for _, p := range phrases {
			if strings.Contains(low, strings.ToLower(p)) && !slices.Contains(found, p) {
				found = append(found, p)
			}
		}
	}
	if len(found) > 3 {
		found = found[:3]
	}
	return strings.Join(found, ", ")
}

// vaultError turns an error of a request into one that can be shown. what is the request: "read secret/data/app".
func vaultError(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*problem](err); ok {
		return err
	}
	if r, ok := errors.AsType[*api.ResponseError](err); ok {
		return answered(what, r.StatusCode, r.Errors)
	}
	return &problem{kind: unreachable, text: what + ": " + transportText(ctx, err), cause: ctx.Err()}
}

func answered(what string, status int, texts []string) error {
	meaning := said(texts)
	if meaning == "" {
		meaning = statuses[status]
	}
	if meaning == "" {
		meaning = "no known meaning"
	}
	p := &problem{kind: unreachable, status: status, text: fmt.Sprintf("%s: vault answered %d (%s)", what, status, meaning)}
	switch status {
	case 400, 401, 403, 405, 415:
		p.kind = refused
	case 404:
		p.kind = absent
	}
	return p
}

// transportText says what kept a request from being answered. Errors of the network name addresses and nothing else;
// of all others only the kind is said.
func transportText(ctx context.Context, err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "no answer in time"
	}
	if errors.Is(err, context.Canceled) {
		return "ended"
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return o.Error()
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		if errors.Is(err, errTooLarge) {
			return errTooLarge.Error()
		}
		if t := tlsText(err); t != "" {
			return t
		}
		return "the connection failed or broke"
	}
	if errors.Is(err, errTooLarge) {
		return errTooLarge.Error()
	}
	return "the answer is not what vault answers, or was cut"
}
