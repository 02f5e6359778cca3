package hcl

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// textFunc is a function of strings.
func textFunc(result cty.Type, n int, f func(args []string) (cty.Value, error)) function.Function {
	names := []string{"str", "with", "by"}
	spec := &function.Spec{
		Type: function.StaticReturnType(result),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			texts := make([]string, len(args))
			for i, a := range args {
				texts[i] = a.AsString()
			}
			return f(texts)
		},
	}
	for i := range n {
		spec.Params = append(spec.Params, function.Parameter{Name: names[i], Type: cty.String})
	}
	return function.New(spec)
}

var (
	startsWithFunc = textFunc(cty.Bool, 2, func(a []string) (cty.Value, error) {
		return cty.BoolVal(strings.HasPrefix(a[0], a[1])), nil
	})
	endsWithFunc = textFunc(cty.Bool, 2, func(a []string) (cty.Value, error) {
		return cty.BoolVal(strings.HasSuffix(a[0], a[1])), nil
	})
	strContainsFunc = textFunc(cty.Bool, 2, func(a []string) (cty.Value, error) {
		return cty.BoolVal(strings.Contains(a[0], a[1])), nil
	})
	base64EncodeFunc = textFunc(cty.String, 1, func(a []string) (cty.Value, error) {
		return cty.StringVal(base64.StdEncoding.EncodeToString([]byte(a[0]))), nil
	})
	base64DecodeFunc = textFunc(cty.String, 1, func(a []string) (cty.Value, error) {
		b, err := base64.StdEncoding.DecodeString(a[0])
		if err != nil || !utf8.Valid(b) {
			return cty.DynamicVal, function.NewArgErrorf(0, "the argument is no base64 of a text")
		}
		return cty.StringVal(string(b)), nil
	})
	urlEncodeFunc = textFunc(cty.String, 1, func(a []string) (cty.Value, error) {
		return cty.StringVal(url.QueryEscape(a[0])), nil
	})
	urlDecodeFunc = textFunc(cty.String, 1, func(a []string) (cty.Value, error) {
		s, err := url.QueryUnescape(a[0])
		if err != nil || !utf8.ValidString(s) {
			return cty.DynamicVal, function.NewArgErrorf(0, "the argument is no URL-encoded text")
		}
		return cty.StringVal(s), nil
	})
	htmlEncodeFunc = textFunc(cty.String, 1, func(a []string) (cty.Value, error) {
		return cty.StringVal(html.EscapeString(a[0])), nil
	})
	// rawFunc is its argument: at request time it keeps a value from being escaped, and what is known now never is.
	rawFunc     = textFunc(cty.String, 1, func(a []string) (cty.Value, error) { return cty.StringVal(a[0]), nil })
	replaceFunc = textFunc(cty.String, 3, func(a []string) (cty.Value, error) {
		if len(a[1]) > 1 && a[1][0] == '/' && a[1][len(a[1])-1] == '/' {
			re, err := regexp.Compile(a[1][1 : len(a[1])-1])
			if err != nil {
				return cty.DynamicVal, function.NewArgErrorf(1, "%s", err)
			}
			return cty.StringVal(re.ReplaceAllString(a[0], a[2])), nil
		}
		return cty.StringVal(strings.ReplaceAll(a[0], a[1], a[2])), nil
	})
	uuidV5Func = textFunc(cty.String, 2, func(a []string) (cty.Value, error) {
		space, ok := uuidSpaces[a[0]]
		if !ok {
			space = a[0]
		}
		ns, err := hex.DecodeString(strings.ReplaceAll(space, "-", ""))
		if err != nil || len(ns) != 16 {
			return cty.DynamicVal, function.NewArgErrorf(0, "the namespace is dns, url, oid, x500 or a UUID")
		}
		sum := sha1.Sum(append(ns, a[1]...))
		sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
		return cty.StringVal(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])), nil
	})
)

var uuidSpaces = map[string]string{
	"dns": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "url": "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
	"oid": "6ba7b812-9dad-11d1-80b4-00c04fd430c8", "x500": "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
}

func md5Sum(b []byte) []byte    { s := md5.Sum(b); return s[:] }
func sha1Sum(b []byte) []byte   { s := sha1.Sum(b); return s[:] }
func sha256Sum(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
func sha512Sum(b []byte) []byte { s := sha512.Sum512(b); return s[:] }

func hexText(b []byte) string    { return hex.EncodeToString(b) }
func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func hashFunc(sum func([]byte) []byte, text func([]byte) string) function.Function {
	return textFunc(cty.String, 1, func(a []string) (cty.Value, error) { return cty.StringVal(text(sum([]byte(a[0])))), nil })
}
