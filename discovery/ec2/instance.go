package ec2

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unique"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/sluice-gateway/sluice/gateway"
)

// instance is what is kept of one: what filters look at, and what an endpoint is made of. It is immutable.
type instance struct {
	id, state            string
	private, public, v6  string
	zone, zoneID         string
	vpc, subnet          string
	architecture, dns    string
	keyName, profile     string
	placementGroup       string
	tenancy              string
	groupIDs, groupNames []string
	tags                 map[string]string // and the entries of ownKeys; the metadata of the endpoint
	labels               []string          // names of the tags without a value, sorted; the tags of the endpoint
}

// What is metadata of an endpoint beside the instance's tags. No tag that a user makes can begin with "aws:".
const (
	metaType      = "aws:instance-type"
	metaImage     = "aws:image-id"
	metaLifecycle = "aws:instance-lifecycle"
)

func ownKey(key string) bool { return key == metaType || key == metaImage || key == metaLifecycle }

func (i *instance) tag(key string) (string, bool) {
	if ownKey(key) {
		return "", false
	}
	v, ok := i.tags[key]
	return v, ok
}

func (i *instance) tagKeys() []string {
	return slices.DeleteFunc(slices.Collect(maps.Keys(i.tags)), ownKey)
}

// shared is a text that many instances have, kept once.
func shared(s string) string { return unique.Make(s).Value() }

func sharedOf(s *string) string { return shared(aws.ToString(s)) }

// newInstance keeps of an answer what is needed, and nothing of its memory besides.
func newInstance(a *types.Instance) *instance {
	i := &instance{
		id: aws.ToString(a.InstanceId), private: aws.ToString(a.PrivateIpAddress), public: aws.ToString(a.PublicIpAddress), v6: aws.ToString(a.Ipv6Address),
		vpc: sharedOf(a.VpcId), subnet: sharedOf(a.SubnetId), architecture: shared(string(a.Architecture)),
		dns: aws.ToString(a.PrivateDnsName), keyName: sharedOf(a.KeyName), tags: make(map[string]string, len(a.Tags)+3),
	}
	if a.State != nil {
		i.state = shared(string(a.State.Name))
	}
	if p := a.Placement; p != nil {
		i.zone, i.zoneID = sharedOf(p.AvailabilityZone), sharedOf(p.AvailabilityZoneId)
		i.placementGroup, i.tenancy = sharedOf(p.GroupName), shared(string(p.Tenancy))
	}
	if a.IamInstanceProfile != nil {
		i.profile = sharedOf(a.IamInstanceProfile.Arn)
	}
	if i.v6 == "" {
		i.v6 = firstIPv6(a.NetworkInterfaces)
	}
	for _, g := range a.SecurityGroups {
		i.groupIDs = append(i.groupIDs, sharedOf(g.GroupId))
		i.groupNames = append(i.groupNames, sharedOf(g.GroupName))
	}
	for _, t := range a.Tags {
		key, value := sharedOf(t.Key), sharedOf(t.Value)
		i.tags[key] = value
		if value == "" {
			i.labels = append(i.labels, key)
		}
	}
	slices.Sort(i.labels)
	for key, value := range map[string]string{
		metaType: string(a.InstanceType), metaImage: aws.ToString(a.ImageId), metaLifecycle: string(a.InstanceLifecycle),
	} {
		if value != "" {
			i.tags[key] = shared(value)
		}
	}
	return i
}

// firstIPv6 is that of the first interface of an instance.
func firstIPv6(interfaces []types.InstanceNetworkInterface) string {
	for _, n := range interfaces {
		if n.Attachment == nil || aws.ToInt32(n.Attachment.DeviceIndex) != 0 {
			continue
		}
		for _, a := range n.Ipv6Addresses {
			return aws.ToString(a.Ipv6Address)
		}
	}
	return ""
}

// endpoint is an instance as a block wants it, or why it can be none.
func (i *instance) endpoint(s *Spec) (gateway.Endpoint, error) {
	text, lacks := i.private, "private address"
	switch s.Address {
	case "public":
		text, lacks = i.public, "public address"
	case "ipv6":
		text, lacks = i.v6, "IPv6 address"
	}
	if text == "" {
		return gateway.Endpoint{}, fmt.Errorf("%s has no %s", i.id, lacks)
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return gateway.Endpoint{}, fmt.Errorf("%s has the address %q, which is none", i.id, text)
	}
	port, err := i.port(s)
	if err != nil {
		return gateway.Endpoint{}, err
	}
	return gateway.Endpoint{
		ID: i.id, Address: address.Unmap().String(), Port: port,
		Locality: gateway.Locality{Region: s.Region, Zone: i.zone}, Tags: i.labels, Meta: i.tags,
	}, nil
}

func (i *instance) port(s *Spec) (uint16, error) {
	if s.PortTag == "" {
		return uint16(s.Port), nil //nolint:gosec // the block is checked
	}
	text, has := i.tag(s.PortTag)
	switch {
	case !has && s.Port != 0:
		return uint16(s.Port), nil //nolint:gosec // the block is checked
	case !has:
		return 0, fmt.Errorf("%s has no tag %q", i.id, s.PortTag)
	}
	port, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%s has the tag %q with %q, which is no port", i.id, s.PortTag, text)
	}
	return uint16(port), nil
}
