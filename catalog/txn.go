package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
)

// Consul refuses transactions of more than 64 operations and bodies of more than about 512 KB; values travel in base64
// (a third longer), each operation with its key and some JSON around it.
const (
	txnOps  = 64
	txnSize = 500 << 10
	opSize  = 200
)

// opBytes is what an operation adds to the body of a transaction.
func opBytes(op *api.KVTxnOp) int { return opSize + len(op.Key) + (len(op.Value)+2)/3*4 }

// batches cuts operations into transactions, leaving room for `extra` operations in each.
func batches(ops []*api.KVTxnOp, extra int) [][]*api.KVTxnOp {
	var out [][]*api.KVTxnOp
	size := 0
	for _, op := range ops {
		n := opBytes(op)
		last := len(out) - 1
		if last < 0 || len(out[last]) >= txnOps-extra || size+n > txnSize-extra*opSize {
			out, size = append(out, nil), 0
			last++
		}
		out[last] = append(out[last], op)
		size += n
	}
	return out
}

// ConflictError says which keys had been changed by somebody else; nothing of the transaction was written.
type ConflictError struct{ Keys []string }

// Error lists the keys.
func (e *ConflictError) Error() string {
	return "changed by somebody else meanwhile: " + strings.Join(e.Keys, ", ")
}

// denied says that the token may not do what was tried.
func denied(err error) bool { return strings.Contains(err.Error(), permissionDenied) }

// permissionDenied is in what Consul says when it denies something.
const permissionDenied = "Permission denied"

// transact writes all of ops or nothing. A *ConflictError says that a comparison failed.
func (c *Client) transact(ctx context.Context, ops []*api.KVTxnOp) (api.TxnResults, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	all := make(api.TxnOps, len(ops))
	for i, op := range ops {
		all[i] = &api.TxnOp{KV: op}
	}
	ok, resp, _, err := c.api.Txn().Txn(all, query(ctx))
	if err != nil {
		return nil, fmt.Errorf("write %d keys below %s: %w", len(ops), c.Prefix, bare(err))
	}
	if ok {
		return resp.Results, nil
	}
	var conflict []string
	for _, e := range resp.Errors {
		key := ""
		if e.OpIndex < len(ops) {
			key = ops[e.OpIndex].Key
		}
		if strings.Contains(e.What, permissionDenied) {
			return nil, fmt.Errorf("write %s: %s", key, e.What)
		}
		conflict = append(conflict, strings.TrimPrefix(key, c.Prefix))
	}
	slices.Sort(conflict)
	return nil, &ConflictError{Keys: slices.Compact(conflict)}
}
