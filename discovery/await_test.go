package discovery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestASecretIsAwaitedInSilence(t *testing.T) {
	id := gateway.ID{Kind: gateway.KindSecret, Name: "aws"}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		looks := 0
		reveal := func(asked gateway.ID) (gateway.Material, bool) {
			if looks++; asked != id || time.Since(start) < time.Minute {
				return gateway.Material{}, false
			}
			return gateway.NewMaterial(map[string][]byte{"access_key": []byte("a")}), true
		}
		m, ok := AwaitMaterial(t.Context(), reveal, id)
		if took := time.Since(start); !ok || took > time.Minute+2*longLook || looks > 30 {
			t.Errorf("known: %t after %s and %d looks", ok, took, looks)
		}
		if b, _ := m.Reveal("access_key"); string(b) != "a" {
			t.Error("the content is not what there is")
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, ok := AwaitMaterial(ctx, reveal, id); ok || time.Since(start) > time.Second {
			t.Errorf("after the end: known: %t after %s", ok, time.Since(start))
		}
		never := func(gateway.ID) (gateway.Material, bool) { return gateway.NewMaterial(nil), true }
		if _, ok := AwaitMaterial(ctx, never, id); ok {
			t.Error("a context that has ended is not noticed")
		}
	})
}
