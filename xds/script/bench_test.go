package script_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	transformv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/transform/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/gateway"
)

// cpu is the processor time of the Envoy in clock ticks of 10 ms.
func (e *engine) cpu(t testing.TB) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", int(e.Process)))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+2:])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

const smallPage = `{"owner":{"name":"Ann <b>","city":"Ghent"},"pets":[{"id":1,"name":"Rex","kind":"dog"},{"id":2,"name":"Tom & co","kind":"cat"}],"total":2}`

func longPage() string {
	var b strings.Builder
	b.WriteString(`{"owner":{"name":"Ann","city":"Ghent"},"pets":[`)
	for i := range 400 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"pet <%d>","kind":"dog"}`, i, i)
	}
	return b.String() + `],"total":400}`
}

// BenchmarkPages is the processor time of Envoy for one request: proxied plainly, as a page of a small and of a long JSON
// answer, and through Envoy's own transform filter.
func BenchmarkPages(b *testing.B) {
	attr := func(name string) gateway.Expr {
		return gateway.Expr{Op: gateway.OpAttr, Name: name, Args: []gateway.Expr{vari("p")}}
	}
	page := &gateway.Program{Response: []*gateway.ResponseChange{{
		Statuses: []string{"2xx"}, ContentType: "text/html",
		Body: tmpl(con("<h1>"), res("body", "owner", "name"), con(" ("), res("body", "owner", "city"), con(")</h1><ul>"),
			list("p", res("body", "pets"), con("<li>"), attr("id"), con(": "), attr("name"), con(" <i>"), attr("kind"), con("</i></li>")),
			con("</ul><p>"), res("body", "total"), con("</p>")),
	}}}
	native, err := anypb.New(&transformv3.TransformConfig{ResponseTransformation: &transformv3.Transformation{
		BodyTransformation: &transformv3.BodyTransformation{
			Action: transformv3.BodyTransformation_REPLACE,
			BodyFormat: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{
				Fields: map[string]*structpb.Value{
					"name": structpb.NewStringValue("%RESPONSE_BODY(owner:name)%"), "list": structpb.NewStringValue("%RESPONSE_BODY(pets)%"),
				},
			}}},
		},
	}})
	if err != nil {
		b.Fatal(err)
	}
	e := startEngineWith(b, []*gateway.Program{nil, page, nil}, func(i int, r *routev3.Route) {
		if i == 2 {
			r.RequestBodyBufferLimit = wrapperspb.UInt64(1 << 20)
			r.TypedPerFilterConfig = map[string]*anypb.Any{transformFilter: native}
		}
	})
	for name, body := range map[string]string{"small": smallPage, "long": longPage()} {
		for i, how := range []string{"plain", "script", "transform"} {
			b.Run(name+"/"+how, func(b *testing.B) {
				e.answer(i, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("content-type", "application/json")
					_, _ = w.Write([]byte(body))
				})
				if got := e.do(b, i, "GET", "/", ""); got.status != 200 || how == "script" && !strings.Contains(got.body, "</ul>") {
					b.Fatalf("%d %s", got.status, got.body)
				}
				begin := e.cpu(b)
				const n, clients = 4000, 4
				for range b.N {
					var all sync.WaitGroup
					for range clients {
						all.Go(func() {
							for range n / clients {
								e.do(b, i, "GET", "/", "")
							}
						})
					}
					all.Wait()
				}
				b.ReportMetric(float64(e.cpu(b)-begin)*10_000/float64(n*b.N), "µs-cpu/request")
			})
		}
	}
}
