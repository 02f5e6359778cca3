package credential

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/feature/headers"
	"github.com/sluice-gateway/sluice/feature/mirror"
	"github.com/sluice-gateway/sluice/feature/request"
	"github.com/sluice-gateway/sluice/feature/response"
	"github.com/sluice-gateway/sluice/internal/featuretest"
	"github.com/sluice-gateway/sluice/internal/testenv"
	"github.com/sluice-gateway/sluice/xds/translate"
)

func TestFeature(t *testing.T) { featuretest.Run(t, Kind(), mirror.Kind()) }

const documents = `
gateway "edge" {
  listener "http" { port = %d }
}
secret "key" {
  file { path = "/run/key" }
}
upstream "shop" {
  static { endpoints = [%q] }
}
upstream "copy" {
  static { endpoints = [%q] }
}
route "shop" {
  credential {
    header = "X-Key"
    prefix = "Key "
    secret = secret.key
  }
  headers {
    request {
      set = { x-key = "of the document" }
    }
    response {
      set = { x-seen = request.headers["x-key"] }
    }
  }
  request {
    headers = { x-key = "of the program", x-copy = request.headers["x-key"] }
  }
  response {
    headers = { x-sent = request.headers["x-key"] }
  }
  mirror { upstream = upstream.copy }
  to { upstream = upstream.shop }
}`

// secretOf is the SDS resource with a value.
// unknown is the answer of a route whose secret nobody knows.
const unknown = `{"error":"the gateway does not know the credential that this route sends","reason":"credential_unknown"}`

func secretOf(value string) *translate.Resource {
	return &translate.Resource{Key: translate.Key{TypeURL: translate.SecretType, Name: "key"}, Message: &tlsv3.Secret{
		Name: "key", Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
			Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: value}},
		}},
	}}
}

// TestASecretRidesOnRequests goes from a secret that is not known over one that is to the next one, with an Envoy that is
// served over ADS. Nothing but the upstream sees the secret.
func TestASecretRidesOnRequests(t *testing.T) {
	shop := featuretest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header.Values("x-key"), r.Header.Get("x-copy"))
	})
	copied := make(chan http.Header, 1)
	mirrored := featuretest.Backend(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case copied <- r.Header.Clone():
		default: // one is enough
		}
	})
	kinds := []translate.Kind{request.Kind(), response.Kind(), headers.Kind(), mirror.Kind(), Kind()}
	docs := fmt.Sprintf(documents, testenv.FreePort(t), shop, mirrored)
	all := featuretest.Translate(t, kinds, featuretest.Documents{"a.hcl": docs}).Must(t).Resources
	var rest []*translate.Resource
	for _, r := range all {
		text := string(featuretest.JSON(t, r.Message))
		if r.TypeURL == translate.SecretType {
			continue
		}
		if rest = append(rest, r); strings.Contains(text, "value-of-key") {
			t.Errorf("%s holds the secret", r.Name)
		}
	}
	edge, plane := featuretest.ServeADS(t, rest)
	ask := func() featuretest.Answer { return edge.Do(t, "GET", "shop.test", "/", "x-key: forged") }
	if a := ask(); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "credential_unknown") {
		t.Errorf("without the secret the answer is %d %s", a.Status, a.Body)
	}
	for _, value := range []string{"one", "two", ""} {
		plane.Set(t, secretOf(value))
		want := fmt.Sprintf(`["Key %s"] "forged"`, value)
		if value == "" { // it has ended: see gateway.World
			want = unknown
		}
		testenv.Eventually(t, 10*time.Second, func() error {
			if a := ask(); a.Body != want {
				return fmt.Errorf("the answer is %d %s, want %s", a.Status, a.Body, want)
			}
			return nil
		})
		if value == "" {
			continue
		}
		a := ask()
		if a.Header.Get("x-seen") != "forged" || a.Header.Get("x-sent") != "forged" {
			t.Errorf("the client reads %q and %q", a.Header.Get("x-seen"), a.Header.Get("x-sent"))
		}
	}
	select {
	case h := <-copied:
		if h.Get("x-key") != "" || h.Get("x-copy") != "forged" {
			t.Errorf("the mirror got %q, %q", h.Get("x-key"), h.Get("x-copy"))
		}
	case <-time.After(10 * time.Second):
		t.Error("the mirror got nothing")
	}
}
