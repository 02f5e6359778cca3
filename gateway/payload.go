package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Payload is a body that an expression makes, the media type that was written for it, and where both stand.
type Payload struct {
	Body        Expr
	ContentType string // "" where none was written
	BodyAt      hcl.Range
	TypeAt      hcl.Range
}

// PayloadOf is the payload of a block with the attributes body and content_type; ranges are those of its attributes.
func PayloadOf(body Expr, contentType string, ranges map[string]hcl.Range) Payload {
	return Payload{Body: body, ContentType: contentType, BodyAt: ranges["body"], TypeAt: ranges["content_type"]}
}

// CheckMessage finds headers that cannot be written, a body that cannot be sent, and a type of the body that is said twice.
func CheckMessage(headers map[string]Expr, p Payload, ranges map[string]hcl.Range) hcl.Diagnostics {
	diags := CheckHeaders(headers, ranges["headers"])
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if strings.EqualFold(name, "content-type") && !p.Body.IsZero() {
			diags = append(diags, fault(headers[name].Range, "Two content types", "content_type says what the body is. Remove the header content-type.")...)
		}
	}
	return append(diags, p.Check()...)
}

// Media types that decide what a body is made of.
const (
	MediaJSON = "application/json"
	MediaForm = "application/x-www-form-urlencoded"
	MediaHTML = "text/html"
)

// Media is the media type without its parameters, in lower case.
func (p Payload) Media() string {
	media, _, _ := strings.Cut(p.ContentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// IsEmpty says that the body is the empty text: nothing is sent.
func (p Payload) IsEmpty() bool {
	v, ok := p.Body.Const()
	return ok && v == ""
}

// Check finds bodies that the media type cannot carry safely: JSON and forms that are put together as text, text without
// a type, objects as text.
func (p Payload) Check() hcl.Diagnostics {
	switch {
	case p.ContentType != "" && !isMediaType(p.ContentType):
		return fault(p.TypeAt, "Invalid content type", fmt.Sprintf(
			`%q is no media type. One looks like "application/json" or "text/html; charset=utf-8".`, p.ContentType))
	case p.Body.IsZero() && p.ContentType != "":
		return fault(p.TypeAt, "Content type without a body", "content_type is the type of body. Write a body, or change the header content-type.")
	case p.Body.IsZero() || p.IsEmpty():
		return nil
	}
	made := shapeOf(p.Body)
	switch media := p.Media(); {
	case media == "":
		if made&(shapeText|shapePlain) != 0 {
			return fault(p.BodyAt, "Missing content type", `This body is text, and text needs a content_type, such as "text/plain". An object or a list is sent as JSON without one.`)
		}
	case isJSON(media):
		if made&shapeText != 0 {
			return fault(p.BodyAt, "JSON made of text", "A value with a quote in it would break out of JSON that is put together as text. Write the body as an object, { name = value }, or use jsonencode().")
		}
	case media == MediaForm:
		if made&(shapeText|shapePlain|shapeJSON|shapeList) != 0 {
			return fault(p.BodyAt, "Form that is no object", "The body of a form is an object, { name = value }: its names and values are encoded for it.")
		}
	default:
		if made != 0 && made&^(shapeObject|shapeList) == 0 {
			return fault(p.BodyAt, "Object as text", fmt.Sprintf("An object or a list cannot be sent as %s. Write a template, or leave content_type out to send JSON.", media))
		}
	}
	return nil
}

// Type is the content type of what is sent: the written one, or JSON's for what is JSON by itself.
func (p Payload) Type() string {
	if p.ContentType == "" && !p.Body.IsZero() && !p.IsEmpty() {
		return MediaJSON
	}
	return p.ContentType
}

func fault(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}

func isMediaType(s string) bool {
	media, _, err := mime.ParseMediaType(s)
	return err == nil && strings.Count(media, "/") == 1 && !strings.ContainsAny(s, "\r\n")
}

func isJSON(media string) bool {
	return media == MediaJSON || strings.HasSuffix(media, "+json")
}

// shape is the set of what an expression may turn out to be; 0 is not known.
type shape uint8

const (
	shapeText   shape = 1 << iota // text in which values stand as they are
	shapeJSON                     // text that is JSON
	shapePlain                    // a number or a truth value
	shapeObject                   //
	shapeList                     //
)

// callShapes says what functions make. Those that are not there, and not arguments of theirs, make anything.
var callShapes = map[string]shape{
	"jsonencode": shapeJSON, "merge": shapeObject, "concat": shapeList, "keys": shapeList, "values": shapeList, "split": shapeList,
	"abs": shapePlain, "ceil": shapePlain, "floor": shapePlain, "max": shapePlain, "min": shapePlain, "length": shapePlain,
	"tonumber": shapePlain, "tobool": shapePlain, "can": shapePlain, "contains": shapePlain, "startswith": shapePlain,
	"endswith": shapePlain, "strcontains": shapePlain,
	"upper": shapeText, "lower": shapeText, "trim": shapeText, "trimspace": shapeText, "trimprefix": shapeText,
	"trimsuffix": shapeText, "replace": shapeText, "urlencode": shapeText, "htmlencode": shapeText, "base64encode": shapeText,
	"base64decode": shapeText, "substr": shapeText, "tostring": shapeText, "join": shapeText, "raw": shapeText,
}

func shapeOf(e Expr) shape {
	switch e.Op {
	case OpConst:
		return shapeOfValue(e.Value)
	case OpTemplate:
		return shapeText
	case OpCond:
		return shapeOf(e.Args[1]) | shapeOf(e.Args[2])
	case OpObject:
		return shapeObject
	case OpTuple, OpSplat:
		return shapeList
	case OpFor:
		if e.Args[1].IsZero() {
			return shapeList
		}
		return shapeObject
	case OpBinary, OpUnary:
		return shapePlain
	case OpRequest, OpResponse:
		return shapeOfPart(e.Path)
	case OpCall:
		made := callShapes[e.Name]
		if e.Name == "try" || e.Name == "coalesce" {
			for _, a := range e.Args {
				made |= shapeOf(a)
			}
		}
		return made
	}
	return 0
}

func shapeOfValue(v any) shape {
	switch v := v.(type) {
	case string:
		if s := strings.TrimSpace(v); strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
			if json.Valid([]byte(s)) {
				return shapeJSON
			}
		}
		return shapeText
	case bool, float64:
		return shapePlain
	case []any:
		return shapeList
	case map[string]any:
		return shapeObject
	}
	return 0
}

func shapeOfPart(path []string) shape {
	if len(path) == 0 {
		return 0
	}
	switch path[0] {
	case "body", "auth":
		return 0
	case "status":
		return shapePlain
	}
	return shapeText
}
