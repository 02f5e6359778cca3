package hcl

import "reflect"

// semanticChecks are the checks that tags cannot say, by struct. They run when the block had no error so far.
var semanticChecks = map[reflect.Type]func(d *decoder, block any, at ranges){}
