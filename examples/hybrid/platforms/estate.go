package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/sluice-gateway/sluice/internal/testenv"
)

const folder = "/DC0/vm/calculator"

// estate is all platforms and what runs on them.
type estate struct {
	p     *process
	vc    *testenv.VCenter
	nomad *testenv.Nomad
	aws   *testenv.AWS
	cloud *ec2.Client

	mu      sync.Mutex
	all     []*calculator
	version int // of the job
}

// startEstate starts two calculators on each platform, and a job that no document knows of.
func startEstate(ctx context.Context, p *process, machines int) (*estate, error) {
	e := &estate{p: p, vc: testenv.StartVCenter(p), nomad: testenv.StartNomad(p), aws: testenv.StartAWS(p)}
	e.cloud = ec2.NewFromConfig(e.aws.Config(e.aws.Root))
	for n := 1; n <= 2; n++ {
		if err := e.machine(n, machines); err != nil {
			return nil, err
		}
		if err := e.allocation(n); err != nil {
			return nil, err
		}
		if err := e.instance(ctx, n); err != nil {
			return nil, err
		}
	}
	e.nomad.Register(e.nomad.Service("reports", "reports-1", "127.0.0.1", 9300, "internal"))
	return e, nil
}

func (e *estate) machine(n, port int) error {
	ip := fmt.Sprintf("127.0.0.%d", 10+n)
	c := &calculator{Name: fmt.Sprintf("vm-%d", n), Platform: "vsphere"}
	if err := c.start(net.JoinHostPort(ip, strconv.Itoa(port))); err != nil {
		return err
	}
	c.id = e.vc.AddVM(e.p, folder, c.Name, ip)
	e.all = append(e.all, c)
	return nil
}

func (e *estate) allocation(n int) error {
	c := &calculator{Name: fmt.Sprintf("alloc-%d", n), Platform: "nomad"}
	if e.version > 0 {
		c.Name += fmt.Sprintf("-v%d", e.version+1)
	}
	if err := c.start("127.0.0.1:0"); err != nil {
		return err
	}
	r := e.nomad.Service("calculator", c.Name, "127.0.0.1", c.port())
	c.id = r.ID
	e.nomad.Register(r)
	e.all = append(e.all, c)
	return nil
}

func (e *estate) instance(ctx context.Context, n int) error {
	c := &calculator{Name: fmt.Sprintf("ec2-%d", n), Platform: "ec2"}
	if err := c.start("127.0.0.1:0"); err != nil {
		return err
	}
	tag := func(key, value string) types.Tag { return types.Tag{Key: aws.String(key), Value: aws.String(value)} }
	out, err := e.cloud.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: aws.String("ami-1"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1), PrivateIpAddress: aws.String("127.0.0.1"),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{
			tag("Name", c.Name), tag("service", "calculator"), tag("port", strconv.Itoa(c.port())),
		}}},
	})
	if err != nil {
		return fmt.Errorf("run an instance: %w", err)
	}
	c.id = aws.ToString(out.Instances[0].InstanceId)
	e.all = append(e.all, c)
	return nil
}

// told is where everything is, and what runs there.
func (e *estate) told() any {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.all {
		c.Answered = c.answered.Load()
	}
	return map[string]any{
		"environment": map[string]string{
			"NOMAD_ADDR": e.nomad.Addr, "GOVC_URL": e.vc.Address, "GOVC_USERNAME": e.vc.Username, "GOVC_PASSWORD": e.vc.Password,
			"GOVC_TLS_CA_CERTS": e.vc.CAFile, "AWS_ENDPOINT_URL": e.aws.Endpoint, "AWS_ACCESS_KEY_ID": e.aws.Root.ID,
			"AWS_SECRET_ACCESS_KEY": e.aws.Root.Secret, "AWS_EC2_METADATA_DISABLED": "true",
		},
		"calculators": append([]*calculator{}, e.all...),
	}
}

// find is a calculator of a platform that runs, or does not.
func (e *estate) find(platform, name string, running bool) (*calculator, error) {
	for _, c := range e.all {
		if c.Platform == platform && c.Name == name && c.Running == running {
			return c, nil
		}
	}
	return nil, fmt.Errorf("nothing on %s is named %q and could change so", platform, name)
}

// power switches a virtual machine.
func (e *estate) power(name, state string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find("vsphere", name, state == "off")
	if err != nil {
		return err
	}
	if state == "off" {
		c.stop()
		e.vc.PowerOff(e.p, c.id)
		return nil
	}
	if err := c.start(c.Address); err != nil {
		return err
	}
	e.vc.PowerOn(e.p, c.id)
	return nil
}

// deploy replaces the allocations, one after the other: the new one is there before the old one ends.
func (e *estate) deploy() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.version++
	n := 0
	for _, c := range append([]*calculator{}, e.all...) {
		if c.Platform != "nomad" || !c.Running {
			continue
		}
		n++
		if err := e.allocation(n); err != nil {
			return err
		}
		e.nomad.Lose("default", c.id)
		c.stop()
	}
	return nil
}

// terminate ends an instance of EC2.
func (e *estate) terminate(ctx context.Context, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find("ec2", name, true)
	if err != nil {
		return err
	}
	if _, err := e.cloud.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{c.id}}); err != nil {
		return fmt.Errorf("terminate %s: %w", name, err)
	}
	c.stop()
	return nil
}
