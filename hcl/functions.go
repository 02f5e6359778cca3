package hcl

import (
	"fmt"
	"regexp"

	hclv2 "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// configFunctions are the functions of the configuration time, under Terraform's names. kv, env and file come on top.
var configFunctions = map[string]function.Function{
	"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
	"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,

	"chomp": stdlib.ChompFunc, "format": boundedFormat(stdlib.FormatFunc), "formatlist": boundedFormat(stdlib.FormatListFunc),
	"indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "raw": rawFunc, "regex": stdlib.RegexFunc,
	"regexall": stdlib.RegexAllFunc, "replace": replaceFunc, "split": stdlib.SplitFunc, "strrev": stdlib.ReverseFunc,
	"substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc,
	"trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,
	"startswith": startsWithFunc, "endswith": endsWithFunc, "strcontains": strContainsFunc,

	"chunklist": stdlib.ChunklistFunc, "coalesce": coalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
	"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc,
	"element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "index": indexFunc, "keys": stdlib.KeysFunc,
	"length": lengthFunc, "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "one": oneFunc, "range": stdlib.RangeFunc,
	"reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc, "setproduct": boundedProduct(),
	"setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc,
	"sum": sumFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc, "alltrue": allTrueFunc, "anytrue": anyTrueFunc,
	"transpose": transposeFunc, "matchkeys": matchKeysFunc,

	"base64decode": base64DecodeFunc, "base64encode": base64EncodeFunc, "csvdecode": stdlib.CSVDecodeFunc,
	"jsondecode": boundedDecode(stdlib.JSONDecodeFunc), "jsonencode": stdlib.JSONEncodeFunc, "urlencode": urlEncodeFunc, "urldecode": urlDecodeFunc,
	"yamldecode": boundedDecode(ctyyaml.YAMLDecodeFunc), "yamlencode": ctyyaml.YAMLEncodeFunc, "htmlencode": htmlEncodeFunc,

	"base64sha256": hashFunc(sha256Sum, base64Text), "base64sha512": hashFunc(sha512Sum, base64Text),
	"md5": hashFunc(md5Sum, hexText), "sha1": hashFunc(sha1Sum, hexText), "sha256": hashFunc(sha256Sum, hexText),
	"sha512": hashFunc(sha512Sum, hexText), "uuidv5": uuidV5Func,

	"can": tryfunc.CanFunc, "try": tryfunc.TryFunc,
	"tobool": conversionFunc(cty.Bool), "tolist": conversionFunc(cty.List(cty.DynamicPseudoType)),
	"tomap": conversionFunc(cty.Map(cty.DynamicPseudoType)), "tonumber": conversionFunc(cty.Number),
	"toset": conversionFunc(cty.Set(cty.DynamicPseudoType)), "tostring": conversionFunc(cty.String),

	"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,
	"cidrhost": cidrHostFunc, "cidrnetmask": cidrNetmaskFunc, "cidrsubnet": cidrSubnetFunc,
}

// baseContext is what every evaluation sees. Its variables are not nil so that a wrong name is called unknown.
var baseContext = &hclv2.EvalContext{Functions: configFunctions, Variables: map[string]cty.Value{}}

// Functions lists the functions of the configuration time, sorted.
func Functions() []string {
	names := map[string]bool{"kv": true, "env": true, "file": true}
	for n := range configFunctions {
		names[n] = true
	}
	return sortedKeys(names)
}

var wideVerb = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4,}|\*)`)

// boundedFormat refuses widths that would make a text of a gigabyte.
func boundedFormat(inner function.Function) function.Function {
	return wrapped(inner, func(args []cty.Value) error {
		if f := args[0]; f.IsKnown() && !f.IsNull() && f.Type() == cty.String && wideVerb.MatchString(f.AsString()) {
			return function.NewArgErrorf(0, "a width or precision has three digits at most")
		}
		return nil
	})
}

// boundedDecode refuses texts with numbers that would take minutes to print.
func boundedDecode(inner function.Function) function.Function {
	return wrapped(inner, func(args []cty.Value) error {
		if s := args[0]; s.IsKnown() && !s.IsNull() && s.Type() == cty.String && hugeNumber.MatchString(s.AsString()) {
			return function.NewArgErrorf(0, "the exponent of a number has more than three digits")
		}
		return nil
	})
}

func boundedProduct() function.Function {
	const most = 10_000
	return wrapped(stdlib.SetProductFunc, func(args []cty.Value) error {
		n := 1
		for _, a := range args {
			if a.IsKnown() && !a.IsNull() && a.CanIterateElements() {
				if n *= max(1, a.LengthInt()); n > most {
					return fmt.Errorf("the product has more than %d elements", most)
				}
			}
		}
		return nil
	})
}

// wrapped is inner with a check of its arguments before.
func wrapped(inner function.Function, check func([]cty.Value) error) function.Function {
	return function.New(&function.Spec{
		Description: inner.Description(),
		Params:      inner.Params(),
		VarParam:    inner.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := check(args); err != nil {
				return cty.DynamicPseudoType, err
			}
			return inner.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return inner.Call(args) },
	})
}
