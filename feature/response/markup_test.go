package response

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// body is a template: ¤ stands for a value.
func body(text string) gateway.Expr {
	e := gateway.Expr{Op: gateway.OpTemplate}
	for i, part := range strings.Split(text, "¤") {
		if i > 0 {
			e.Args = append(e.Args, gateway.Expr{Op: gateway.OpRequest, Path: []string{"query", "a"}})
		}
		e.Args = append(e.Args, gateway.Expr{Op: gateway.OpConst, Value: part})
	}
	return e
}

func said(e gateway.Expr, contentType string) (all string) {
	for _, d := range checkMarkup(gateway.Payload{Body: e, ContentType: contentType}) {
		all += d.Summary + ": " + d.Detail + "\n"
	}
	return all
}

func TestWhereAValueMayStand(t *testing.T) {
	for _, text := range []string{
		"¤", "<p>¤</p>", "<p>1 < 2 ¤</p>", `<p title="¤">`, `<p title='¤ and ¤'>`, `<p title = "¤">`, `<P CLASS="a ¤">`,
		`<a href="/users/¤">`, `<a href="/¤">`, `<a href="?q=¤&amp;r=¤">`, `<a href="#¤">`, `<a href="https://example.com/¤">`,
		`<a href="mailto:¤">`, `<a href="users/¤">`, `<img src="/i/¤.png">`, `<script src="/js/¤.js"></script>`,
		`<script>let a = 1 < 2</script>¤`, "<style>p { color: red }</style>¤", "<title>¤</title>", "<textarea>¤ <p </textarea>¤",
		"<!-- ¤ -->¤", "<!---->¤", "<!-->¤", "<!doctype html><p>¤", "<script>a</SCRIPT >¤", "<script>a</scriptx></script>¤",
		`<p data-user="¤">`, `<meta name="description" content="about ¤">`, `<input value="¤" disabled>`, `<br/>¤`, `<p a=b>¤`,
		`<script><!-- a --></script>¤`, `</p a="b">¤`, `<p a="<script>">¤`, `<p a='>'>¤`,
	} {
		if got := said(body(text), "text/html; charset=utf-8"); got != "" {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestWhereAValueMustNotStand(t *testing.T) {
	for text, want := range map[string]string{
		"<script>let a = '¤'</script>":                "in <script>",
		"<SCRIPT >¤</script>":                         "in <script>",
		"<script>a</scriptx>¤</script>":               "in <script>",
		"<script><!--<script></script>¤ --></script>": "in <script>",
		"<style>p { color: ¤ }</style>":               "in <style>",
		"<p title=¤>":                                 "without quotes",
		"<p title= ¤>":                                "without quotes",
		"<p title=a¤>":                                "without quotes",
		"<¤>":                                         "behind <",
		"</¤>":                                        "behind <",
		"<p¤>":                                        "in the tag <p>",
		"<p ¤>":                                       "in the tag <p>",
		"<p a¤>":                                      "in the tag <p>",
		`<p a="b"¤>`:                                  "in the tag <p>",
		"<!doctype ¤>":                                "in a declaration",
		`<p onclick="go('¤')">`:                       "run as a script",
		`<p ONCLICK="¤">`:                             "run as a script",
		`<p @click="¤">`:                              "run as a script",
		`<p data-onload="¤">`:                         "run as a script",
		`<p style="color: ¤">`:                        "more than a value",
		`<iframe srcdoc="¤">`:                         "more than a value",
		`<a href="¤">`:                                "beginning of a URL",
		`<a href=" ¤">`:                               "beginning of a URL",
		`<a href="java¤">`:                            "beginning of a URL",
		`<a href="javascript:go(¤)">`:                 "beginning of a URL",
		`<a href="javascript&#58;/¤">`:                "beginning of a URL",
		`<a href="data:text/html,¤">`:                 "beginning of a URL",
		`<svg><a xlink:href="¤">`:                     "beginning of a URL",
		`<form action='¤'>`:                           "beginning of a URL",
		`<script src="/¤">`:                           "beginning of a URL",
		`<script src="//¤">`:                          "beginning of a URL",
		`<base href="https://¤/">`:                    "beginning of a URL",
		`<meta http-equiv="refresh" content="¤">`:     "lead a browser elsewhere",
		`<meta http-equiv="refresh" content="0;¤">`:   "lead a browser elsewhere",
		`<p title="¤`:                                 "Unfinished HTML",
		`<script>`:                                    "Unfinished HTML",
	} {
		if got := said(body(text), "text/html"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %s", text, got, want)
		}
	}
}

func TestBranchesAndLoopsLeaveNoDoubt(t *testing.T) {
	value := gateway.Expr{Op: gateway.OpRequest, Path: []string{"query", "a"}}
	text := func(s string) gateway.Expr { return gateway.Expr{Op: gateway.OpConst, Value: s} }
	all := func(parts ...gateway.Expr) gateway.Expr { return gateway.Expr{Op: gateway.OpTemplate, Args: parts} }
	either := func(a, b gateway.Expr) gateway.Expr {
		return gateway.Expr{Op: gateway.OpCond, Args: []gateway.Expr{value, a, b}}
	}
	each := func(separator string, item gateway.Expr) gateway.Expr {
		list := gateway.Expr{Op: gateway.OpFor, Vars: [2]string{"", "s"}, Args: []gateway.Expr{value, {}, item, {}}}
		return gateway.Expr{Op: gateway.OpCall, Name: "join", Args: []gateway.Expr{text(separator), list}}
	}
	call := func(name string, args ...gateway.Expr) gateway.Expr {
		return gateway.Expr{Op: gateway.OpCall, Name: name, Args: args}
	}
	list := func(parts ...gateway.Expr) gateway.Expr { return gateway.Expr{Op: gateway.OpTuple, Args: parts} }
	raw := gateway.Expr{Op: gateway.OpCall, Name: "raw", Args: []gateway.Expr{value}}
	computed := gateway.Expr{Op: gateway.OpCall, Name: "upper", Args: []gateway.Expr{text("<script>")}}
	for name, c := range map[string]struct {
		body gateway.Expr
		want string
	}{
		"branches":               {all(either(text("<b>"), text("<i>")), value), ""},
		"branches inside":        {all(text("<p title="), either(all(text(`"`), value, text(`"`)), text("''")), text(">")), ""},
		"one opens":              {all(either(text("<b title='"), text("")), value), "One branch"},
		"one script":             {all(either(text("<script>"), text("<p>")), value), "One branch"},
		"a refused branch":       {all(text("<script>"), either(value, text("1")), text("</script>")), "in <script>"},
		"urls":                   {all(text(`<a href="`), either(text("/a"), text("/b")), text(`/`), value, text(`">`)), ""},
		"whole urls":             {all(text(`<a href="`), either(text("a"), text("b")), text(`">`)), ""},
		"urls of doubt":          {all(text(`<a href="`), either(text("a"), text("javascript")), text(`:`), value, text(`">`)), "beginning of a URL"},
		"loop":                   {all(text("<ul>"), each("", all(text("<li>"), value, text("</li>"))), text("</ul>")), ""},
		"loop that opens":        {all(each("", all(text("<p title='"), value)), text("'>")), "A round of this loop"},
		"loop with a separator":  {all(text("<p title='"), each(", ", value), text("'>")), ""},
		"separator that opens":   {all(each("<script>", text("a"))), "A round of this loop"},
		"join of parts":          {all(text("<p>"), call("join", text("</p><p "), list(value, all(text("title='"), value, text("'>"))))), ""},
		"join that opens":        {all(call("join", text("<script>"), list(value, value))), "in <script>"},
		"join of values":         {all(call("join", text("<br>"), value)), ""},
		"one of several":         {all(call("coalesce", value, text("<i>none</i>"))), ""},
		"one of several opens":   {all(call("try", value, text("<script>"))), "One branch"},
		"raw":                    {all(text("<script>let a = "), raw, text("</script>")), ""},
		"a function of a markup": {all(text("<p>"), computed, text("</p>")), ""},
		"a value alone":          {value, ""},
	} {
		if got := said(c.body, "text/html"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestOtherTypesThatAct(t *testing.T) {
	value := gateway.Expr{Op: gateway.OpRequest, Path: []string{"query", "a"}}
	coded := gateway.Expr{Op: gateway.OpCall, Name: "jsonencode", Args: []gateway.Expr{value}}
	if got := said(body("<a>¤</a>"), "application/xml"); !strings.Contains(got, "into application/xml") {
		t.Errorf("%q", got)
	}
	if got := said(gateway.Expr{Op: gateway.OpTemplate, Args: []gateway.Expr{coded}}, "text/javascript"); got != "" {
		t.Errorf("%q", got)
	}
	if got := said(body("a, ¤"), "text/plain"); got != "" {
		t.Errorf("%q", got)
	}
}

func FuzzHTML(f *testing.F) {
	for _, seed := range []string{"<p a='b'>", "<script><!--</script>-->", `<a href="x`, "<!-->", "</", "<meta content=0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i := range len(text) {
			if whole := (place{}).after(text); (place{}).after(text[:i]).after(text[i:]) != whole {
				t.Fatalf("%q read in two parts ends elsewhere than %s", text, whole)
			}
		}
		(place{}).after(text).refuses()
	})
}
