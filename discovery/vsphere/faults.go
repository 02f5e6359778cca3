package vsphere

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// errVanished says that vCenter does not know an object any more.
var errVanished = errors.New("the object does not exist any more")

// refusal is a login that vCenter refused: to try the same again locks the account.
type refusal struct{ reason string }

// Error implements error.
func (r *refusal) Error() string { return r.reason }

// explain says what an error of vCenter means for whoever runs it. what is what was tried.
func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	var missing *types.NoPermission
	switch {
	case fault.Is(err, &types.InvalidLogin{}):
		return fmt.Errorf("%s: %w", what, &refusal{"the user name or the password is wrong, or the account is locked"})
	case fault.Is(err, &types.NotAuthenticated{}):
		return fmt.Errorf("%s: the session has ended", what)
	case fault.Is(err, &types.ManagedObjectNotFound{}):
		return fmt.Errorf("%s: %w", what, errVanished)
	}
	if _, ok := fault.As(err, &missing); ok {
		return fmt.Errorf("%s: the account lacks the privilege %s", what, missing.PrivilegeId)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its address is that of the connection
	}
	if soap.IsSoapFault(err) {
		return fmt.Errorf("%s: vCenter says: %s", what, said(soap.ToSoapFault(err)))
	}
	return fmt.Errorf("%s: %w", what, err)
}

// said is the text of a fault; of one without, its type.
func said(f *soap.Fault) string {
	if f.String != "" {
		return f.String
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", f.VimFault()), "types.")
}

// late puts the cause of an ended deadline before an error.
func late(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}
