package testenv

import (
	"context"
	"net/url"
	"testing"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
)

// withTags changes tags, with a session of its own.
func (v *VCenter) withTags(t testing.TB, do func(context.Context, *tags.Manager) error) {
	t.Helper()
	ctx := context.Background()
	at := &url.URL{Scheme: "https", Host: v.Address, Path: "/sdk"}
	s := soap.NewClient(at, true)
	defer s.CloseIdleConnections()
	r := rest.NewClient(&vim25.Client{Client: s, RoundTripper: s})
	v.mu.Lock()
	user := url.UserPassword(v.Username, v.password)
	v.mu.Unlock()
	if err := r.Login(ctx, user); err != nil {
		t.Fatalf("log in to change tags: %v", err)
	}
	defer func() { _ = r.Logout(ctx) }()
	if err := do(ctx, tags.NewManager(r)); err != nil {
		t.Fatalf("change tags: %v", err)
	}
}
