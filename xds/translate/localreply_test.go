package translate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/feature/timeout"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

// What Envoy answers in place of an upstream is JSON with a reason, as the script's own errors are; a client of gRPC gets
// a status with plain words.
func TestFailuresOfUpstreamsAreJSON(t *testing.T) {
	held := make(chan struct{})
	slow := featuretest.Backend(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(held) })
	broken := featuretest.Backend(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	docs := edge
	for name, address := range map[string]string{"slow": slow, "broken": broken, "closed": fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))} {
		docs += upstream(name, address) + fmt.Sprintf("route %[1]q {\n  match { path = \"/%[1]s\" }\n  to { upstream = upstream.%[1]s }\n  timeout { request = \"200ms\" }\n}\n", name)
	}
	e := featuretest.Serve(t, []translate.Kind{timeout.Kind()}, featuretest.Documents{"a.hcl": docs})
	for path, want := range map[string]struct {
		status int
		reason string
	}{
		"/slow": {504, "upstream_timeout"}, "/broken": {503, "upstream_reset"}, "/closed": {503, "connection_failed"},
	} {
		got := e.Do(t, http.MethodGet, "shop.test", path)
		if got.Status != want.status || got.Header.Get("x-sluice-error") != want.reason || got.Header.Get("content-type") != "application/json" ||
			!strings.HasPrefix(got.Body, `{"error":"`) || !strings.Contains(got.Body, `"reason":"`+want.reason+`"`) {
			t.Errorf("%s: %+v", path, got)
		}
		got = e.Do(t, http.MethodGet, "shop.test", path, "content-type: application/grpc")
		if m := got.Header.Get("grpc-message"); got.Header.Get("grpc-status") == "" || strings.Contains(m, "{") || strings.Contains(m, "%7B") {
			t.Errorf("%s, gRPC: %+v", path, got)
		}
	}
	if got := e.Do(t, http.MethodGet, "shop.test", "/nowhere"); got.Status != 404 || got.Body != "" || got.Header.Get("x-sluice-error") != "" {
		t.Errorf("what no route takes: %+v", got)
	}
}
