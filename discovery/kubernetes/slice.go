package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	groupVersion = "discovery.k8s.io/v1"
	serviceLabel = "kubernetes.io/service-name"
)

// ownLabels begin the labels that Kubernetes itself puts on slices.
var ownLabels = []string{"kubernetes.io/", "endpointslice.kubernetes.io/", "service.kubernetes.io/", "endpoints.kubernetes.io/"}

// slice is what is kept of an EndpointSlice. Nobody changes one.
type slice struct {
	name      string
	namespace string
	version   string // opaque: equal or not
	service   string
	family    string            // IPv4, IPv6 or FQDN
	labels    map[string]string // those that users put on the service
	ports     []port
	endpoints []target
}

// port is a TCP port of all endpoints of a slice. Number 0: any.
type port struct {
	name   string
	number uint16
}

// target is one endpoint of a slice.
type target struct {
	address     string
	ready       bool
	terminating bool
	ref         string // the pod, or what else it is; empty where it has no name
	node, zone  string
}

// meta is what is read of the metadata of an object or a list.
type meta struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	ResourceVersion string            `json:"resourceVersion"`
	Continue        string            `json:"continue"`
	Labels          map[string]string `json:"labels"`
}

// rawSlice is an EndpointSlice as the API has it.
type rawSlice struct {
	Kind        string `json:"kind"`
	Metadata    meta   `json:"metadata"`
	AddressType string `json:"addressType"`
	Ports       []struct {
		Name     *string `json:"name"`
		Protocol *string `json:"protocol"`
		Port     *int32  `json:"port"`
	} `json:"ports"`
	Endpoints []struct {
		Addresses  []string `json:"addresses"`
		Conditions struct {
			Ready       *bool `json:"ready"`
			Terminating *bool `json:"terminating"`
		} `json:"conditions"`
		TargetRef *struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"targetRef"`
		NodeName *string `json:"nodeName"`
		Zone     *string `json:"zone"`
	} `json:"endpoints"`
}

// rawList is a page of a list.
type rawList struct {
	Kind     string     `json:"kind"`
	Metadata meta       `json:"metadata"`
	Items    []rawSlice `json:"items"`
}

// page is a page of a list that was found whole.
type page struct {
	slices  []*slice
	version string
	next    string
}

// parsePage reads a page. What is no list of slices is an error, and never an empty one.
func parsePage(text []byte) (page, error) {
	var raw rawList
	if err := json.Unmarshal(text, &raw); err != nil {
		return page{}, fmt.Errorf("no list of slices: %w", plainJSON(err))
	}
	if raw.Kind != "EndpointSliceList" || raw.Metadata.ResourceVersion == "" {
		return page{}, fmt.Errorf("no list of slices, but kind %.100q", raw.Kind)
	}
	out := page{version: raw.Metadata.ResourceVersion, next: raw.Metadata.Continue}
	in := interned{}
	for i := range raw.Items {
		s, err := raw.Items[i].keep(in)
		if err != nil {
			return page{}, err
		}
		out.slices = append(out.slices, s)
	}
	return out, nil
}

// interned has equal texts of many slices share their memory.
type interned map[string]string

func (in interned) text(s *string) string {
	if s == nil || *s == "" {
		return ""
	}
	if same, ok := in[*s]; ok {
		return same
	}
	own := strings.Clone(*s)
	in[own] = own
	return own
}

// keep is what is kept of a slice.
func (r *rawSlice) keep(in interned) (*slice, error) {
	if r.Metadata.Name == "" || r.Metadata.ResourceVersion == "" {
		return nil, errors.New("a slice without name or version")
	}
	service := r.Metadata.Labels[serviceLabel]
	s := &slice{
		name: r.Metadata.Name, namespace: in.text(&r.Metadata.Namespace), version: r.Metadata.ResourceVersion, service: in.text(&service), family: in.text(&r.AddressType),
		endpoints: make([]target, 0, len(r.Endpoints)),
	}
	for _, name := range slices.Sorted(maps.Keys(r.Metadata.Labels)) {
		if !slices.ContainsFunc(ownLabels, func(p string) bool { return strings.HasPrefix(name, p) }) {
			if s.labels == nil {
				s.labels = map[string]string{}
			}
			s.labels[name] = r.Metadata.Labels[name]
		}
	}
	for _, p := range r.Ports {
		if p.Protocol != nil && *p.Protocol != "TCP" && *p.Protocol != "" {
			continue
		}
		kept := port{name: in.text(p.Name)}
		if p.Port != nil {
			if *p.Port < 0 || *p.Port > 65535 {
				return nil, fmt.Errorf("slice %.100q has the port %d", s.name, *p.Port)
			}
			kept.number = uint16(*p.Port)
		}
		s.ports = append(s.ports, kept)
	}
	for _, e := range r.Endpoints {
		if len(e.Addresses) == 0 {
			continue
		}
		t := target{
			address: e.Addresses[0], ready: e.Conditions.Ready == nil || *e.Conditions.Ready,
			terminating: e.Conditions.Terminating != nil && *e.Conditions.Terminating,
			node:        in.text(e.NodeName), zone: in.text(e.Zone),
		}
		if e.TargetRef != nil {
			t.ref = e.TargetRef.Name
			if e.TargetRef.Kind != "" && e.TargetRef.Kind != "Pod" && t.ref != "" {
				t.ref = strings.ToLower(e.TargetRef.Kind) + "/" + t.ref
			}
		}
		s.endpoints = append(s.endpoints, t)
	}
	return s, nil
}

// event is one word of a watch.
type event struct {
	kind    string // ADDED, MODIFIED, DELETED, BOOKMARK
	slice   *slice // nil in a BOOKMARK
	version string
}

// parseEvent reads a line of a watch. An ERROR event is a *apiError.
func parseEvent(line []byte) (event, error) {
	var raw struct {
		Type   string          `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return event{}, fmt.Errorf("no event: %w", plainJSON(err))
	}
	switch raw.Type {
	case "ERROR":
		return event{}, parseStatus(raw.Object, 0)
	case "ADDED", "MODIFIED", "DELETED", "BOOKMARK":
	default:
		return event{}, fmt.Errorf("an event of the unknown type %.100q", raw.Type)
	}
	var object rawSlice
	if err := json.Unmarshal(raw.Object, &object); err != nil {
		return event{}, fmt.Errorf("no object in the event: %w", plainJSON(err))
	}
	out := event{kind: raw.Type, version: object.Metadata.ResourceVersion}
	if out.version == "" || object.Kind != "" && object.Kind != "EndpointSlice" {
		return event{}, fmt.Errorf("an event about no slice, but kind %.100q", object.Kind)
	}
	if raw.Type == "BOOKMARK" {
		return out, nil
	}
	var err error
	out.slice, err = object.keep(interned{})
	return out, err
}

// plainJSON leaves out of an error what was read.
func plainJSON(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is no %s", wrong.Field, wrong.Type)
	}
	return err
}
