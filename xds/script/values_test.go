package script_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestNumbersAndLetters wants the text of every kind of double, and the case of every letter, to be Go's.
func TestNumbersAndLetters(t *testing.T) {
	times := gateway.Expr{Op: gateway.OpBinary, Name: "*", Args: []gateway.Expr{vari("v"), con(1.0)}}
	p := &gateway.Program{Request: []*gateway.RequestChange{{Body: obj(
		con("json"), forEach("v", req("body", "numbers"), times),
		con("text"), forEach("v", req("body", "numbers"), tmpl(times)),
		con("upper"), call("upper", req("body", "letters")), con("lower"), call("lower", req("body", "letters")),
		con("length"), call("length", req("body", "letters")), con("part"), call("substr", req("body", "letters"), con(100.0), con(50.0)),
		con("space"), call("trimspace", req("body", "spaces")), con("html"), call("htmlencode", req("body", "letters")),
		con("base64"), call("base64encode", req("body", "letters")), con("back"), call("base64decode", call("base64encode", req("body", "letters"))),
	)}}}
	r := rand.New(rand.NewPCG(1, 2))
	var numbers []float64
	for len(numbers) < 6000 {
		switch n := math.Float64frombits(r.Uint64()); {
		case math.IsNaN(n) || math.IsInf(n, 0):
		case len(numbers)%3 == 0:
			numbers = append(numbers, n)
		case len(numbers)%3 == 1:
			numbers = append(numbers, math.Ldexp(1, r.IntN(2000)-1020)*float64(1-2*r.IntN(2)))
		default:
			numbers = append(numbers, math.Round(r.Float64()*1e6)/math.Pow10(r.IntN(12)))
		}
	}
	var letters, spaces strings.Builder
	for c := rune(1); c < 0x1FFFF; c++ {
		if unicode.IsLetter(c) && c < 0x3000 || unicode.ToUpper(c) != c || unicode.ToLower(c) != c {
			letters.WriteRune(c)
		}
		if unicode.IsSpace(c) {
			spaces.WriteRune(c)
		}
	}
	body, err := json.Marshal(map[string]any{"numbers": numbers, "letters": letters.String(), "spaces": spaces.String() + "x\u180e y" + spaces.String()})
	if err != nil {
		t.Fatal(err)
	}
	e := startEngine(t, []*gateway.Program{p})
	in := gateway.RawRequest{Method: "POST", Host: "c0.test", Target: "/", Headers: http.Header{"content-type": {"application/json"}}, Body: body}
	want, err := p.Send(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.do(t, 0, "POST", "/", string(body), "content-type: application/json"); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	have := e.upstream(0).body
	for i := range have {
		if i >= len(want.Body) || have[i] != want.Body[i] {
			from := max(0, i-60)
			t.Fatalf("the script writes %q, the reference %q", have[from:min(len(have), i+60)], want.Body[from:min(len(want.Body), i+60)])
		}
	}
	if len(have) != len(want.Body) {
		t.Errorf("the script writes %d bytes, the reference %d", len(have), len(want.Body))
	}
}
