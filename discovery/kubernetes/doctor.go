package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// examine asks each cluster for what specs need of it, and those that none needs for what a block could.
func examine(ctx context.Context, opts Options, specs []gateway.SourceSpec) (out []discovery.Finding) {
	wanted := map[*Client][]*Spec{}
	for _, spec := range specs {
		s, ok := spec.(*Spec)
		if !ok {
			continue
		}
		c, err := connection(opts.Clients, s.Connection)
		if err != nil {
			out = append(out, discovery.Finding{
				Check: "kubernetes: connection of service " + s.Service, Err: err, Need: "a kubernetes block of that name in the agent's configuration",
			})
			continue
		}
		wanted[c] = append(wanted[c], s)
	}
	for _, c := range opts.Clients {
		d := &doctor{client: c, opts: opts, Examination: discovery.Examination{System: strings.TrimSpace("kubernetes " + c.Name)}}
		d.visit(ctx, wanted[c])
		out = append(out, d.Findings...)
	}
	return out
}

// doctor gathers findings about one cluster. It changes nothing: reviews are questions.
type doctor struct {
	discovery.Examination
	client *Client
	opts   Options
}

// visit asks one question after the other. Those that an answer makes senseless are left out.
func (d *doctor) visit(ctx context.Context, specs []*Spec) {
	a, err := d.client.cfg.access()
	if !d.Note("address and credentials are there", err, "a kubeconfig, or address and token_file, that can be read") {
		return
	}
	version, err := d.version(ctx)
	if !d.Note("reach "+a.server.Host, err, "an address of an API server that answers, and ca_file with the authority of its certificate") {
		return
	}
	d.Note("version "+version, oldVersion(version), "Kubernetes 1.21 or later: it has EndpointSlices of discovery.k8s.io/v1")
	if a.server.Scheme != "https" {
		err = errors.New("it is plain text, and so is the token")
	} else if a.tls.Insecure {
		err = errors.New("the server's certificate is not verified")
	}
	d.Note("the connection is safe", err, "an https address, and ca_file instead of insecure")
	who, err := d.whoami(ctx)
	if !d.Note("log in as "+cmp.Or(who, "a user"), err, "a token or a certificate that the cluster knows and that has not expired") {
		return
	}
	namespaces := []string{d.client.namespace()}
	if len(specs) > 0 {
		namespaces = nil
	}
	for _, s := range specs {
		namespaces = append(namespaces, cmp.Or(s.Namespace, d.client.namespace()))
	}
	slices.Sort(namespaces)
	for _, namespace := range slices.Compact(namespaces) {
		for _, verb := range []string{"list", "watch"} {
			d.Note(verb+" endpointslices in namespace "+namespace, d.may(ctx, verb, namespace),
				"the ClusterRole of discovery/kubernetes/rbac.yaml, bound in namespace "+namespace)
		}
	}
	for _, s := range specs {
		d.block(ctx, s)
	}
}

func (d *doctor) version(ctx context.Context) (string, error) {
	text, err := d.client.call(ctx, d.opts.Timeout, http.MethodGet, "/version", nil, nil)
	if said, ok := errors.AsType[*apiError](err); ok && (said.code == http.StatusUnauthorized || said.code == http.StatusForbidden) {
		return "", nil // it answers; what it says comes next
	}
	if err != nil {
		return "", err
	}
	var raw struct {
		Version string `json:"gitVersion"`
	}
	if json.Unmarshal(text, &raw) != nil || raw.Version == "" {
		return "", errors.New("what answers there is no API server of Kubernetes")
	}
	return raw.Version, nil
}

// oldVersion is an error for a version that has no EndpointSlices. What cannot be read is taken for new.
func oldVersion(text string) error {
	parts := strings.SplitN(strings.TrimPrefix(text, "v"), ".", 3)
	if len(parts) < 2 {
		return nil
	}
	major, err := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err == nil && err2 == nil && major == 1 && minor < 21 {
		return fmt.Errorf("%s is too old", text)
	}
	return nil
}

// review puts a question about oneself.
func (d *doctor) review(ctx context.Context, group, kind, path string, spec, status any) error {
	version := group + ".k8s.io/v1"
	text, err := d.client.call(ctx, d.opts.Timeout, http.MethodPost, "/apis/"+version+"/"+path, nil, map[string]any{
		"apiVersion": version, "kind": kind, "spec": spec,
	})
	if err != nil {
		return err
	}
	if json.Unmarshal(text, &struct {
		Status any `json:"status"`
	}{status}) != nil {
		return fmt.Errorf("what was answered is no %s", kind)
	}
	return nil
}

// whoami is the name that the cluster has for the credentials. Clusters before 1.28 do not say.
func (d *doctor) whoami(ctx context.Context) (string, error) {
	var status struct {
		UserInfo struct {
			Username string `json:"username"`
		} `json:"userInfo"`
	}
	err := d.review(ctx, "authentication", "SelfSubjectReview", "selfsubjectreviews", nil, &status)
	if said, ok := errors.AsType[*apiError](err); ok && said.code != http.StatusUnauthorized {
		return "", nil
	}
	if status.UserInfo.Username == "system:anonymous" {
		return "", errors.New("the cluster takes it for anonymous")
	}
	return status.UserInfo.Username, err
}

func (d *doctor) may(ctx context.Context, verb, namespace string) error {
	group, _, _ := strings.Cut(groupVersion, "/")
	var status struct {
		Allowed bool   `json:"allowed"`
		Reason  string `json:"reason"`
	}
	err := d.review(ctx, "authorization", "SelfSubjectAccessReview", "selfsubjectaccessreviews", map[string]any{
		"resourceAttributes": map[string]string{"namespace": namespace, "verb": verb, "group": group, "resource": "endpointslices"},
	}, &status)
	if err == nil && !status.Allowed {
		err = errors.New(strings.TrimSuffix("not allowed: "+status.Reason, ": "))
	}
	return err
}

// block asks what one block of a document would get.
func (d *doctor) block(ctx context.Context, s *Spec) {
	p, err := d.client.page(ctx, question{namespace: s.Namespace, wanted: selection{s.Service}}, d.opts.Timeout)
	var endpoints []gateway.Endpoint
	if err == nil {
		endpoints, err = s.endpoints(p.slices)
	}
	if err == nil && len(endpoints) == 0 {
		err = errors.New("there are none")
	}
	d.Note(fmt.Sprintf("endpoints of service %s: %d", s.SourceKey().Query, len(endpoints)), err,
		"a service of that name with running pods, and port as one of its ports' names, or a number")
}
