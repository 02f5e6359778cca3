package hcl

import (
	"fmt"
	"math/big"
	"net/netip"
	"sort"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// collection is a parameter that takes every collection.
func collection(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.DynamicPseudoType}
}

func isSequence(t cty.Type) bool { return t.IsListType() || t.IsSetType() || t.IsTupleType() }

// dynamicFunc is a function whose type is that of its result.
func dynamicFunc(impl func(args []cty.Value) (cty.Value, error), params ...function.Parameter) function.Function {
	return function.New(&function.Spec{
		Params: params,
		Type: func(args []cty.Value) (cty.Type, error) {
			for _, a := range args {
				if !a.IsWhollyKnown() {
					return cty.DynamicPseudoType, nil
				}
			}
			v, err := impl(args)
			if err != nil {
				return cty.DynamicPseudoType, err
			}
			return v.Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return impl(args) },
	})
}

var (
	lengthFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		v := args[0]
		switch {
		case v.Type() == cty.String:
			return stdlib.Strlen(v)
		case v.CanIterateElements():
			return cty.NumberIntVal(int64(v.LengthInt())), nil
		}
		return cty.DynamicVal, function.NewArgErrorf(0, "the argument must be a text or a collection")
	}, collection("value"))

	indexFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		if isSequence(args[0].Type()) {
			for it := args[0].ElementIterator(); it.Next(); {
				k, e := it.Element()
				if eq := e.Equals(args[1]); eq.IsKnown() && eq.True() {
					return k, nil
				}
			}
		}
		return cty.DynamicVal, function.NewArgErrorf(0, "the list does not hold the value")
	}, collection("list"), collection("value"))

	oneFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		v := args[0]
		if !isSequence(v.Type()) || v.LengthInt() > 1 {
			return cty.DynamicVal, function.NewArgErrorf(0, "the argument must be a list or set of one element or none")
		}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			return e, nil
		}
		return cty.NullVal(cty.DynamicPseudoType), nil
	}, collection("list"))

	sumFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		total := cty.Zero
		if !isSequence(args[0].Type()) || args[0].LengthInt() == 0 {
			return cty.DynamicVal, function.NewArgErrorf(0, "the argument must be a list of one number or more")
		}
		for it := args[0].ElementIterator(); it.Next(); {
			_, e := it.Element()
			n, err := convert.Convert(e, cty.Number)
			if err != nil || n.IsNull() {
				return cty.DynamicVal, function.NewArgErrorf(0, "every element must be a number")
			}
			total = total.Add(n)
		}
		return total, nil
	}, collection("list"))

	allTrueFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) { return truth(args[0], true) }, collection("list"))
	anyTrueFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) { return truth(args[0], false) }, collection("list"))

	transposeFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		m, err := convert.Convert(args[0], cty.Map(cty.List(cty.String)))
		if err != nil || m.IsNull() {
			return cty.DynamicVal, function.NewArgErrorf(0, "the argument must be a map of lists of strings")
		}
		lists := map[string][]string{}
		for it := m.ElementIterator(); it.Next(); {
			k, l := it.Element()
			if l.IsNull() {
				continue
			}
			for li := l.ElementIterator(); li.Next(); {
				if _, e := li.Element(); !e.IsNull() {
					lists[e.AsString()] = append(lists[e.AsString()], k.AsString())
				}
			}
		}
		if len(lists) == 0 {
			return cty.MapValEmpty(cty.List(cty.String)), nil
		}
		out := map[string]cty.Value{}
		for k, l := range lists {
			sort.Strings(l)
			vals := make([]cty.Value, len(l))
			for i, s := range l {
				vals[i] = cty.StringVal(s)
			}
			out[k] = cty.ListVal(vals)
		}
		return cty.MapVal(out), nil
	}, collection("map"))

	matchKeysFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		for i, a := range args {
			if !isSequence(a.Type()) {
				return cty.DynamicVal, function.NewArgErrorf(i, "the argument must be a list")
			}
		}
		if args[0].LengthInt() != args[1].LengthInt() {
			return cty.DynamicVal, function.NewArgErrorf(1, "values and keys must have the same length")
		}
		var out []cty.Value
		values := args[0].AsValueSlice()
		for i, k := range args[1].AsValueSlice() {
			for _, want := range args[2].AsValueSlice() {
				if eq := k.Equals(want); eq.IsKnown() && eq.True() {
					out = append(out, values[i])
					break
				}
			}
		}
		return cty.TupleVal(out), nil
	}, collection("values"), collection("keys"), collection("search"))

	cidrHostFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		p, n, err := cidrArgs(args)
		if err != nil {
			return cty.DynamicVal, err
		}
		a, err := cidrAdd(p, n, 0)
		return cty.StringVal(a.String()), err
	}, function.Parameter{Name: "prefix", Type: cty.String}, function.Parameter{Name: "hostnum", Type: cty.Number})

	cidrNetmaskFunc = textFunc(cty.String, 1, func(a []string) (cty.Value, error) {
		p, err := netip.ParsePrefix(a[0])
		if err != nil || !p.Addr().Is4() {
			return cty.DynamicVal, function.NewArgErrorf(0, "%q is no IPv4 prefix such as 10.0.0.0/8", a[0])
		}
		mask := ^uint32(0) << (32 - p.Bits())
		return cty.StringVal(netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()), nil
	})

	cidrSubnetFunc = dynamicFunc(func(args []cty.Value) (cty.Value, error) {
		p, n, err := cidrArgs([]cty.Value{args[0], args[2]})
		if err != nil {
			return cty.DynamicVal, err
		}
		newbits, _ := args[1].AsBigFloat().Int64()
		bits := p.Bits() + int(newbits)
		if newbits < 0 || bits > p.Addr().BitLen() {
			return cty.DynamicVal, function.NewArgErrorf(1, "there are no %d more bits in %s", newbits, p)
		}
		a, err := cidrAdd(netip.PrefixFrom(p.Addr(), p.Bits()), n, p.Addr().BitLen()-bits)
		return cty.StringVal(netip.PrefixFrom(a, bits).String()), err
	}, function.Parameter{Name: "prefix", Type: cty.String}, function.Parameter{Name: "newbits", Type: cty.Number},
		function.Parameter{Name: "netnum", Type: cty.Number})
)

// truth is whether all elements are true, or any is.
func truth(list cty.Value, all bool) (cty.Value, error) {
	if !isSequence(list.Type()) {
		return cty.DynamicVal, function.NewArgErrorf(0, "the argument must be a list")
	}
	for it := list.ElementIterator(); it.Next(); {
		_, e := it.Element()
		b, err := convert.Convert(e, cty.Bool)
		if err != nil {
			return cty.DynamicVal, function.NewArgErrorf(0, "every element must be true or false")
		}
		if is := !b.IsNull() && b.True(); is != all {
			return cty.BoolVal(!all), nil
		}
	}
	return cty.BoolVal(all), nil
}

func cidrArgs(args []cty.Value) (netip.Prefix, *big.Int, error) {
	p, err := netip.ParsePrefix(args[0].AsString())
	if err != nil {
		return p, nil, function.NewArgErrorf(0, "%q is no prefix such as 10.0.0.0/8", args[0].AsString())
	}
	bf := args[1].AsBigFloat()
	if !bf.IsInt() || bf.IsInf() || bf.MantExp(nil) > 129 {
		return p, nil, function.NewArgErrorf(1, "a whole number is required")
	}
	n, _ := bf.Int(nil)
	return p.Masked(), n, nil
}

// cidrAdd is the address of number n in p, counted in steps of 2^shift; negative numbers count from the end.
func cidrAdd(p netip.Prefix, n *big.Int, shift int) (netip.Addr, error) {
	width := p.Addr().BitLen() - p.Bits() - shift
	size := new(big.Int).Lsh(big.NewInt(1), uint(max(width, 0)))
	if n.Sign() < 0 {
		n = new(big.Int).Add(size, n)
	}
	if n.Sign() < 0 || n.Cmp(size) >= 0 {
		return netip.Addr{}, fmt.Errorf("%s has no number %s", p, n)
	}
	base := new(big.Int).SetBytes(p.Addr().AsSlice())
	base.Add(base, new(big.Int).Lsh(n, uint(shift)))
	buf := base.FillBytes(make([]byte, p.Addr().BitLen()/8))
	a, _ := netip.AddrFromSlice(buf)
	return a, nil
}

// coalesceFunc is the first argument that is neither null nor the empty text, as in Terraform.
var coalesceFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "vals", Type: cty.DynamicPseudoType, AllowNull: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		v, err := coalesce(args)
		return v.Type(), err
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return coalesce(args) },
})

func coalesce(args []cty.Value) (cty.Value, error) {
	for _, a := range args {
		if !a.IsKnown() {
			return cty.DynamicVal, nil
		}
		if !a.IsNull() && (a.Type() != cty.String || a.AsString() != "") {
			return a, nil
		}
	}
	return cty.DynamicVal, fmt.Errorf("no argument has a value that is neither null nor empty")
}

// conversionFunc converts to a type, as tostring and its like do.
func conversionFunc(want cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "v", Type: cty.DynamicPseudoType, AllowNull: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t == cty.String && args[0].IsKnown() && !args[0].IsNull() && onlyANumber.MatchString(args[0].AsString()) {
				return want, function.NewArgErrorf(0, "the exponent of the number has more than three digits")
			}
			if t.Equals(want) {
				return want, nil
			}
			v, err := convert.Convert(args[0], want)
			if err != nil {
				return want, function.NewArgErrorf(0, "%s cannot become %s: %s", friendlyValue(args[0]), friendly(want), err)
			}
			return v.Type(), nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) { return convert.Convert(args[0], t) },
	})
}
