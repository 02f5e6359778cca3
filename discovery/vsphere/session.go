package vsphere

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// client is a connection to one vCenter, and a session once it has logged in.
type client struct {
	cfg     Config
	timeout time.Duration // of one call
	vim     *vim25.Client
	rest    *rest.Client  // nil: no tags are read
	tags    *tags.Manager // nil with rest
	labels  *catalogue    // names of tags; nil with rest
	dialer  *dialer
	key     string // of the session
	end     context.CancelFunc
}

// connect asks who is there. It takes no login.
func connect(ctx context.Context, cfg Config, timeout time.Duration) (*client, error) {
	address, err := parseAddress(cfg.Address)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // logging out comes after ctx
	s := soap.NewClient(address, cfg.Insecure)
	s.UserAgent = "sluice"
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d, err := newDialer(life, cfg, timeout)
	if err == nil {
		err = d.use(s.DefaultTransport())
	}
	if err != nil {
		end()
		return nil, err
	}
	c := &client{cfg: cfg, timeout: timeout, dialer: d, end: end}
	err = c.call(ctx, "reach "+address.Host, func(ctx context.Context) error {
		c.vim, err = vim25.NewClient(ctx, s)
		return err
	})
	if err == nil && c.vim.ServiceContent.SessionManager == nil {
		err = fmt.Errorf("reach %s: it answers, and is no vCenter", address.Host)
	}
	if err != nil {
		end()
		s.CloseIdleConnections()
		return nil, err
	}
	return c, nil
}

// call makes one call with its deadline, and says what its error means.
func (c *client) call(ctx context.Context, what string, do func(context.Context) error) error {
	return c.callWithin(ctx, what, c.timeout, do)
}

func (c *client) callWithin(ctx context.Context, what string, limit time.Duration, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	return explain(what, late(bounded, do(bounded)))
}

// login makes a session. A refusal says so.
func (c *client) login(ctx context.Context, who account) error {
	err := c.call(ctx, "log in as "+who.username, func(ctx context.Context) error {
		res, err := methods.Login(ctx, c.vim, &types.Login{
			This: *c.vim.ServiceContent.SessionManager, UserName: who.username, Password: who.password, Locale: "en_US",
		})
		if err == nil {
			c.key = res.Returnval.Key
		}
		return err
	})
	if err != nil || c.cfg.WithoutTags || !c.vim.IsVC() {
		return err
	}
	c.rest = rest.NewClient(c.vim)
	if err := c.loginTags(ctx, who); err != nil {
		return err
	}
	c.tags = tags.NewManager(c.rest)
	c.labels = &catalogue{names: map[string]string{}, categories: map[string]string{}}
	return nil
}

// loginTags makes the session of tags, which vCenter keeps apart.
func (c *client) loginTags(ctx context.Context, who account) error {
	return c.call(ctx, "log in for tags as "+who.username, func(ctx context.Context) error {
		err := c.rest.Login(ctx, url.UserPassword(who.username, who.password))
		if rest.IsStatusError(err, http.StatusUnauthorized) {
			return &refusal{"the user name or the password is refused"}
		}
		return err
	})
}

// goodbye is how long logging out may take. Run returns within a second.
const goodbye = 600 * time.Millisecond

// close logs out, if it can in a short time, and ends all connections.
func (c *client) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c.rest != nil {
			_ = c.rest.Logout(ctx) // a session that is left ends by itself
		}
	}()
	_ = session.NewManager(c.vim).Logout(ctx) // the same
	<-done
	c.end()
	c.vim.CloseIdleConnections()
}

// everything is the filter of all machines and places that the account may see.
func (c *client) everything(ctx context.Context) (types.PropertyFilterSpec, error) {
	var spec types.PropertyFilterSpec
	if c.vim.ServiceContent.ViewManager == nil {
		return spec, errors.New("list the inventory: it has no views")
	}
	var view types.ManagedObjectReference
	err := c.call(ctx, "list the inventory", func(ctx context.Context) error {
		res, err := methods.CreateContainerView(ctx, c.vim, &types.CreateContainerView{
			This: *c.vim.ServiceContent.ViewManager, Container: c.vim.ServiceContent.RootFolder,
			Type: append([]string{"VirtualMachine"}, placeTypes...), Recursive: true,
		})
		if err == nil {
			view = res.Returnval
		}
		return err
	})
	if err != nil {
		return spec, err
	}
	spec.ObjectSet = []types.ObjectSpec{{
		Obj: view, Skip: new(true),
		SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: "ContainerView", Path: "view"}},
	}}
	spec.PropSet = []types.PropertySpec{{Type: "VirtualMachine", PathSet: machineProperties}}
	for _, t := range placeTypes {
		spec.PropSet = append(spec.PropSet, types.PropertySpec{Type: t, PathSet: placeProperties})
	}
	spec.PropSet = append(spec.PropSet, types.PropertySpec{Type: "VirtualApp", PathSet: append([]string{"parentFolder"}, placeProperties...)})
	return spec, nil
}

// collector makes a property collector of its own that follows what spec selects. It ends with the session.
func (c *client) collector(ctx context.Context, spec types.PropertyFilterSpec) (collector types.ManagedObjectReference, err error) {
	err = c.call(ctx, "watch the inventory", func(ctx context.Context) error {
		res, err := methods.CreatePropertyCollector(ctx, c.vim, &types.CreatePropertyCollector{This: c.vim.ServiceContent.PropertyCollector})
		if err != nil {
			return err
		}
		collector = res.Returnval
		_, err = methods.CreateFilter(ctx, c.vim, &types.CreateFilter{This: collector, Spec: spec})
		return err
	})
	return collector, err
}

// retrieve reads properties of some objects at once, by pages. An object that is gone is missing in the answer.
func (c *client) retrieve(ctx context.Context, what string, spec types.PropertyFilterSpec) (out []types.ObjectContent, err error) {
	collector := c.vim.ServiceContent.PropertyCollector
	var token string
	err = c.callWithin(ctx, what, thorough*c.timeout, func(ctx context.Context) error {
		res, err := methods.RetrievePropertiesEx(ctx, c.vim, &types.RetrievePropertiesEx{
			This: collector, SpecSet: []types.PropertyFilterSpec{spec}, Options: types.RetrieveOptions{MaxObjects: objectsAtOnce},
		})
		if err == nil && res.Returnval != nil {
			out, token = res.Returnval.Objects, res.Returnval.Token
		}
		return err
	})
	for err == nil && token != "" {
		err = c.call(ctx, what, func(ctx context.Context) error {
			res, err := methods.ContinueRetrievePropertiesEx(ctx, c.vim, &types.ContinueRetrievePropertiesEx{This: collector, Token: token})
			if err == nil {
				out, token = append(out, res.Returnval.Objects...), res.Returnval.Token
			}
			return err
		})
	}
	return out, err
}

// snapshot reads the whole inventory once.
func (c *client) snapshot(ctx context.Context) (*inventory, error) {
	spec, err := c.everything(ctx)
	if err != nil {
		return nil, err
	}
	content, err := c.retrieve(ctx, "list the inventory", spec)
	if err != nil {
		return nil, err
	}
	inv := newInventory()
	for _, o := range content {
		u := types.ObjectUpdate{Obj: o.Obj, Kind: types.ObjectUpdateKindEnter}
		for _, p := range o.PropSet {
			u.ChangeSet = append(u.ChangeSet, types.PropertyChange{Name: p.Name, Val: p.Val, Op: types.PropertyChangeOpAssign})
		}
		inv.apply(u)
	}
	fields, err := c.fields(ctx)
	if err != nil {
		return nil, err
	}
	inv.fields = fields
	read, err := c.readTags(ctx)
	if err != nil {
		return nil, err
	}
	inv.tags, inv.tagNames = read.of, read.names
	return inv, nil
}

// fields are the names of the custom attributes that machines can have.
func (c *client) fields(ctx context.Context) (map[int32]string, error) {
	out := map[int32]string{}
	manager := c.vim.ServiceContent.CustomFieldsManager
	if manager == nil {
		return out, nil // an ESXi host
	}
	content, err := c.retrieve(ctx, "read custom attributes", types.PropertyFilterSpec{
		ObjectSet: []types.ObjectSpec{{Obj: *manager}},
		PropSet:   []types.PropertySpec{{Type: manager.Type, PathSet: []string{"field"}}},
	})
	if err != nil {
		return nil, err
	}
	var m mo.CustomFieldsManager
	for _, o := range content {
		if err := mo.LoadObjectContent([]types.ObjectContent{o}, &m); err != nil {
			return nil, fmt.Errorf("read custom attributes: %w", err)
		}
	}
	for _, f := range m.Field {
		if f.ManagedObjectType == "" || f.ManagedObjectType == "VirtualMachine" {
			out[f.Key] = f.Name
		}
	}
	return out, nil
}

// exists asks for one machine. The error is errVanished where vCenter says that there is none.
func (c *client) exists(ctx context.Context, id string) error {
	machine := types.ManagedObjectReference{Type: "VirtualMachine", Value: id}
	_, err := c.retrieve(ctx, "read machine "+id, types.PropertyFilterSpec{
		ObjectSet: []types.ObjectSpec{{Obj: machine}},
		PropSet:   []types.PropertySpec{{Type: machine.Type, PathSet: []string{"name"}}},
	})
	return err
}

// values reads the custom attributes of machines.
func (c *client) values(ctx context.Context, ids []string) (map[string]map[int32]string, error) {
	spec := types.PropertyFilterSpec{
		PropSet:                       []types.PropertySpec{{Type: "VirtualMachine", PathSet: []string{"customValue"}}},
		ReportMissingObjectsInResults: new(true),
	}
	out := make(map[string]map[int32]string, len(ids))
	for len(ids) > 0 {
		page := ids[:min(len(ids), valuesPage)]
		ids = ids[len(page):]
		spec.ObjectSet = make([]types.ObjectSpec, len(page))
		for i, id := range page {
			spec.ObjectSet[i].Obj = types.ManagedObjectReference{Type: "VirtualMachine", Value: id}
		}
		content, err := c.retrieve(ctx, "read custom attributes", spec)
		if err != nil {
			return nil, err
		}
		for _, o := range content {
			for _, p := range o.PropSet {
				if raw, ok := p.Val.(types.ArrayOfCustomFieldValue); ok {
					out[o.Obj.Value] = customValues(raw.CustomFieldValue)
				}
			}
		}
	}
	return out, nil
}

const (
	valuesPage = 1000
	thorough   = 4 // times the deadline of a call has one that may read the whole inventory
)
