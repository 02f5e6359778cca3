package vsphere

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// examine asks each connection that specs need, or all of them, for everything that a source asks.
func examine(ctx context.Context, opts Options, specs []gateway.SourceSpec) (out []discovery.Finding) {
	type patient struct {
		cfg    Config
		secret gateway.ID
		specs  []*Spec
	}
	var patients []*patient
	add := func(cfg Config, secret gateway.ID, s *Spec) {
		i := slices.IndexFunc(patients, func(p *patient) bool { return p.cfg.Name == cfg.Name && p.secret == secret })
		if i < 0 {
			i = len(patients)
			patients = append(patients, &patient{cfg: cfg, secret: secret})
		}
		if s != nil {
			patients[i].specs = append(patients[i].specs, s)
		}
	}
	for _, spec := range specs {
		s, ok := spec.(*Spec)
		if !ok {
			continue
		}
		cfg, err := connection(opts.Connections, s.Connection)
		if err != nil {
			out = append(out, discovery.Finding{Check: "vsphere: connection of " + s.SourceKey().Query, Err: err, Need: "a vsphere block of that name in the agent's configuration"})
			continue
		}
		add(cfg, s.Credentials.ID, s)
	}
	if len(specs) == 0 {
		for _, cfg := range opts.Connections {
			add(cfg, gateway.ID{}, nil)
		}
	}
	for _, p := range patients {
		d := &doctor{cfg: p.cfg, Examination: discovery.Examination{System: strings.TrimSpace("vsphere " + p.cfg.Name)}, opts: opts}
		d.visit(ctx, p.secret, p.specs)
		out = append(out, d.Findings...)
	}
	return out
}

// doctor gathers findings about one connection.
type doctor struct {
	discovery.Examination
	cfg    Config
	opts   Options
	client *client
}

// visit asks one question after the other. Those that an answer makes senseless are left out.
func (d *doctor) visit(ctx context.Context, secret gateway.ID, specs []*Spec) {
	who, err := (&hub{cfg: d.cfg, secret: secret, opts: d.opts}).credentials()
	if !d.Note("credentials are there", err, "username and password_file in the agent's vsphere block, or a secret with the fields username and password") {
		return
	}
	d.client, err = connect(ctx, d.cfg, d.opts.timeout)
	if !d.Note("reach "+d.cfg.Address, err, reachNeed(err)) {
		return
	}
	defer d.client.close(ctx)
	d.certificate()
	about := d.client.vim.ServiceContent.About
	d.Note(about.FullName+", API "+about.ApiVersion, oldVersion(about), "vCenter or ESXi 6.5 or later")
	if !d.Note("log in as "+who.username, d.client.login(ctx, who), "a user name and a password that are right, an account that is not locked, and tags = false in the vsphere block where tags are not wanted") {
		return
	}
	d.clock(ctx)
	d.privileges(ctx, "the root folder", d.client.vim.ServiceContent.RootFolder)
	inv, err := d.client.snapshot(ctx)
	if !d.Note("read the inventory and tags", err, roleNeed) {
		return
	}
	d.Note(fmt.Sprintf("see machines: %d", len(inv.machines)), seesNone(inv), roleNeed)
	for _, s := range specs {
		d.block(ctx, inv, s)
	}
}

const roleNeed = "the role of discovery/vsphere/role.sh on the root folder, with everything below, and in the global permissions for tags"

func reachNeed(err error) string {
	if err != nil && isCertificate(err) {
		return "ca_file with the authority of vCenter's certificate, or its thumbprint in the vsphere block"
	}
	return "an address of a vCenter that answers"
}

func isCertificate(err error) bool {
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &host) || errors.As(err, &unknown) || errors.As(err, &invalid)
}

func seesNone(inv *inventory) error {
	if len(inv.machines) == 0 {
		return errors.New("none is visible")
	}
	return nil
}

// oldVersion is an error for what has no tags or other properties that are asked.
func oldVersion(about types.AboutInfo) error {
	var major, minor int
	if _, err := fmt.Sscanf(about.ApiVersion, "%d.%d", &major, &minor); err != nil || major < 6 || major == 6 && minor < 5 {
		return fmt.Errorf("API version %q is too old", about.ApiVersion)
	}
	return nil
}

// certificateSoon is how long before its end a certificate is a finding.
const certificateSoon = 14 * 24 * time.Hour

// certificate looks at that of vCenter.
func (d *doctor) certificate() {
	leaf := d.client.dialer.seen.Load()
	if leaf == nil {
		d.Note("the connection is TLS", errors.New("it is plain text, and so are passwords"), "an https address")
		return
	}
	var err error
	if left := time.Until(leaf.NotAfter); left < certificateSoon {
		err = fmt.Errorf("it ends at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	check := "the certificate is good until " + leaf.NotAfter.UTC().Format(time.DateOnly)
	if d.cfg.Insecure {
		err = errors.Join(err, errors.New("insecure = true trusts any certificate"))
	}
	d.Note(check, err, "a new certificate, and ca_file or thumbprint "+printed(leaf))
}

// clockSkew is how far vCenter's clock may be off before logins and certificates are refused.
const clockSkew = 2 * time.Minute

func (d *doctor) clock(ctx context.Context) {
	var there time.Time
	err := d.client.call(ctx, "ask for the time", func(ctx context.Context) error {
		now, err := methods.GetCurrentTime(ctx, d.client.vim)
		if err == nil {
			there = *now
		}
		return err
	})
	if skew := time.Since(there).Abs(); err == nil && skew > clockSkew {
		err = fmt.Errorf("vCenter's clock is off by %s", skew.Round(time.Second))
	}
	d.Note("clocks agree", err, "time from one source on this machine and on vCenter")
}

// readPrivileges are all that a source needs. Every role has them but No access; the shipped one has nothing else.
var readPrivileges = []string{"System.Anonymous", "System.Read", "System.View"}

func (d *doctor) privileges(ctx context.Context, where string, at types.ManagedObjectReference) {
	manager := d.client.vim.ServiceContent.AuthorizationManager
	if manager == nil {
		return // an ESXi host without
	}
	var lacks []string
	err := d.client.call(ctx, "ask for privileges", func(ctx context.Context) error {
		res, err := methods.HasPrivilegeOnEntities(ctx, d.client.vim, &types.HasPrivilegeOnEntities{
			This: *manager, Entity: []types.ManagedObjectReference{at}, SessionId: d.client.key, PrivId: readPrivileges,
		})
		if err != nil {
			return err
		}
		for _, e := range res.Returnval {
			for _, p := range e.PrivAvailability {
				if !p.IsGranted {
					lacks = append(lacks, p.PrivId)
				}
			}
		}
		return nil
	})
	if len(lacks) > 0 {
		err = fmt.Errorf("the account lacks %s", strings.Join(lacks, ", "))
	}
	d.Note(strings.Join(readPrivileges, ", ")+" on "+where, err, roleNeed)
}

// block asks what one block of a document needs, and says which of its machines are no endpoints.
func (d *doctor) block(ctx context.Context, inv *inventory, s *Spec) {
	selection, err := inv.resolve(s)
	if !d.Note("names of "+s.SourceKey().Query, err, "a name that vCenter shows, and the role where it is; tags need the global permissions") {
		return
	}
	if selection.folder != "" {
		d.privileges(ctx, s.Folder, types.ManagedObjectReference{Type: "Folder", Value: selection.folder})
	}
	found, mute := 0, []string{}
	for _, m := range inv.machines {
		if !m.on || !selection.means(inv, m) {
			continue
		}
		found++
		if _, ok := selection.address(m); !ok {
			mute = append(mute, m.name+why(m, selection.want))
		}
	}
	slices.Sort(mute)
	err = nil
	switch {
	case found == 0:
		err = errors.New("no running machine is what the block asks for")
	case len(mute) > 0:
		err = fmt.Errorf("without a usable address: %s", few(mute))
	}
	d.Note(fmt.Sprintf("running machines of %s: %d", s.SourceKey().Query, found), err,
		"VMware Tools, or open-vm-tools, that run in each machine; network, cidr and ip_family that one of its addresses has")
}

// why says what is the matter with a machine without address.
func why(m *machine, w want) string {
	switch {
	case m.apart:
		return " (its host is disconnected)"
	case !m.tools:
		return " (VMware Tools do not run)"
	case len(m.nics) == 0 && m.primary == (netip.Addr{}):
		return " (VMware Tools tell no address)"
	case w.network != "":
		return " (none in network " + w.network + ")"
	}
	return " (none that cidr and ip_family allow)"
}
