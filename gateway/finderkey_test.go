package gateway

import (
	"strings"
	"testing"
)

// TestTheKeyOfAFinderHoldsNoHeader: keys stand in logs, statuses and the last good state.
func TestTheKeyOfAFinderHoldsNoHeader(t *testing.T) {
	keyWith := func(token string) FinderKey {
		return FindersOf(&Upstream{Name: "u", OpenAPI: &OpenAPI{Headers: map[string]string{"Authorization": token}}})[0].Key
	}
	one, two := keyWith("Bearer canary-1"), keyWith("Bearer canary-2")
	if strings.Contains(one.String(), "canary") {
		t.Errorf("the key is %s", one)
	}
	if one == two || one != keyWith("Bearer canary-1") {
		t.Errorf("what is asked for differently has one key, or two: %s, %s", one, two)
	}
}
