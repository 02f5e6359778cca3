package ec2

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// answering is a way to a service that always says the same.
type answering struct {
	body  string
	pause func(io.Reader) io.Reader
}

func (a answering) Do(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(a.pause(strings.NewReader(a.body))), ContentLength: int64(len(a.body)),
	}, nil
}

func clientOf(body string) *ec2.Client { return clientBy(body, iotest.HalfReader) }

func clientBy(body string, pause func(io.Reader) io.Reader) *ec2.Client {
	return ec2.New(ec2.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""), HTTPClient: answering{body, pause}, Retryer: aws.NopRetryer{},
	})
}

// read is what a page makes of an answer.
func read(t testing.TB, body string, before known) (*page, string, error) {
	t.Helper()
	return readBy(t, clientOf(body), before)
}

func readBy(t testing.TB, c *ec2.Client, before known) (*page, string, error) {
	t.Helper()
	p := &page{known: before}
	out, err := c.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{}, func(o *ec2.Options) {
		o.APIOptions = append(o.APIOptions, p.attach)
	})
	if err != nil {
		return nil, "", err
	}
	return p, aws.ToString(out.NextToken), nil
}

var sameInstances = cmp.Options{cmp.AllowUnexported(instance{}), cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b *instance) bool { return a.id < b.id })}

// asTheSDK demands that an answer, all of it new or all of it known, is read as the SDK alone reads it.
func asTheSDK(t testing.TB, body string) {
	t.Helper()
	first, token, err := read(t, body, known{})
	if err != nil {
		return
	}
	out, err := clientOf(body).DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{})
	if err != nil {
		t.Fatalf("the SDK does not read what was read: %v\n%s", err, body)
	}
	var want []*instance
	for _, r := range out.Reservations {
		for i := range r.Instances {
			want = append(want, newInstance(&r.Instances[i]))
		}
	}
	if diff := cmp.Diff(want, first.instances, sameInstances); diff != "" {
		t.Errorf("%s\n%s", diff, body)
	}
	again, tokenAgain, err := read(t, body, first.seen)
	if err != nil {
		t.Fatalf("the second time: %v\n%s", err, body)
	}
	if diff := cmp.Diff(want, again.instances, sameInstances); diff != "" {
		t.Errorf("the second time: %s\n%s", diff, body)
	}
	if want := aws.ToString(out.NextToken); token != want || tokenAgain != want {
		t.Errorf("the tokens are %q and %q, want %q", token, tokenAgain, want)
	}
}

func answerOf(rows []row, size int) string {
	_, body := (&fake{detail: detail}).page("DescribeInstances", nil, rows, 0, size)
	return body
}

func FuzzPage(f *testing.F) {
	f.Add(answerOf(numbered(3), 2))
	f.Add(answerOf(nil, 2))
	f.Add(`<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>`)
	f.Add(`<DescribeInstancesResponse><reservationSet> <item><instancesSet><item><instanceId>i</instanceId></item></instancesSet></item><item/></reservationSet><nextToken>t</nextToken></DescribeInstancesResponse>`)
	f.Add(`<a><reservationSet><ITEM></ITEM><item a="/>"></item></reservationSet><reservationSet><item></item></reservationSet></a>`)
	f.Add(`<a><reservationSet><item><!-- </item> --><instancesSet><item><instanceId><![CDATA[</item>]]>i</instanceId></item></instancesSet><?x > ?></item></reservationSet></a>`)
	f.Fuzz(func(t *testing.T, body string) { asTheSDK(t, body) })
}

// Only what is new of an answer is read.
func TestOnlyNewReservationsAreRead(t *testing.T) {
	rows := numbered(100)
	first, _, err := read(t, answerOf(rows, 100), known{})
	if err != nil || len(first.instances) != 100 || len(first.seen) != 100 {
		t.Fatalf("%d instances, %v", len(first.instances), err)
	}
	rows[7].state = "stopping"
	rest, fresh, err := (&page{known: first.seen}).cut(strings.NewReader(answerOf(rows, 100)))
	if err != nil || len(fresh) != 1 || bytes.Count(rest, []byte("<instanceId>")) != 1 {
		t.Errorf("%d reservations are read, %v:\n%s", len(fresh), err, rest)
	}
	second, _, err := read(t, answerOf(rows[:99], 100), first.seen)
	if err != nil || len(second.instances) != 99 || len(second.seen) != 99 {
		t.Fatalf("%d instances, %v", len(second.instances), err)
	}
	for _, i := range second.instances {
		old := first.instances[0]
		for _, o := range first.instances {
			if o.id == i.id {
				old = o
			}
		}
		if (i == old) != (i.state == "running") {
			t.Errorf("%s: kept %t, it is %s", i.id, i == old, i.state)
		}
	}
}

// A page with more than is taken is an error.
func TestEndlessAnswers(t *testing.T) {
	many := "<item>" + strings.Repeat("x", 4000) + "</item>"
	_, _, err := (&page{}).cut(io.MultiReader(strings.NewReader("<a><reservationSet>"), &endless{text: many}))
	if err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("many reservations: %v", err)
	}
	_, _, err = (&page{}).cut(io.MultiReader(strings.NewReader("<a><reservationSet><item>"), &endless{text: "<a>" + strings.Repeat("x", 4000) + "</a>"}))
	if err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("an endless reservation: %v", err)
	}
}

// endless says its text again and again.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

// detail is what else AWS says of an instance, at about its length.
const detail = `
                    <privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><dnsName/><reason/><keyName>operations</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>
                    <launchTime>2026-08-01T10:00:00.000Z</launchTime><monitoring><state>disabled</state></monitoring>
                    <subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><sourceDestCheck>true</sourceDestCheck>
                    <groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>shop</groupName></item><item><groupId>sg-0123456789abcdef1</groupId><groupName>operations</groupName></item></groupSet>
                    <architecture>arm64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>
                    <blockDeviceMapping>
                        <item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-0123456789abcdef0</volumeId><status>attached</status><attachTime>2026-08-01T10:00:01.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item>
                        <item><deviceName>/dev/xvdb</deviceName><ebs><volumeId>vol-0123456789abcdef1</volumeId><status>attached</status><attachTime>2026-08-01T10:00:01.000Z</attachTime><deleteOnTermination>false</deleteOnTermination></ebs></item>
                    </blockDeviceMapping>
                    <virtualizationType>hvm</virtualizationType><clientToken>fleet-01234567-89ab-cdef-0123-456789abcdef</clientToken><hypervisor>xen</hypervisor>
                    <networkInterfaceSet>
                        <item>
                            <networkInterfaceId>eni-0123456789abcdef0</networkInterfaceId><subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><description/>
                            <ownerId>123456789012</ownerId><status>in-use</status><macAddress>02:00:00:00:00:01</macAddress><privateIpAddress>10.0.0.1</privateIpAddress><privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName>
                            <sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>shop</groupName></item></groupSet>
                            <attachment><attachmentId>eni-attach-0123456789abcdef0</attachmentId><deviceIndex>0</deviceIndex><networkCardIndex>0</networkCardIndex><status>attached</status><attachTime>2026-08-01T10:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></attachment>
                            <privateIpAddressesSet><item><privateIpAddress>10.0.0.1</privateIpAddress><privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><primary>true</primary></item></privateIpAddressesSet>
                            <ipv6AddressesSet/><interfaceType>interface</interfaceType>
                        </item>
                    </networkInterfaceSet>
                    <iamInstanceProfile><arn>arn:aws:iam::123456789012:instance-profile/shop</arn><id>AIPA0123456789ABCDEFG</id></iamInstanceProfile>
                    <ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><cpuOptions><coreCount>2</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions>
                    <capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference></capacityReservationSpecification>
                    <hibernationOptions><configured>false</configured></hibernationOptions><enclaveOptions><enabled>false</enabled></enclaveOptions>
                    <metadataOptions><state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint><httpProtocolIpv4>enabled</httpProtocolIpv4><httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions>
                    <maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions><platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation><usageOperationUpdateTime>2026-08-01T10:00:00.000Z</usageOperationUpdateTime>
                    <privateDnsNameOptions><hostnameType>ip-name</hostnameType><enableResourceNameDnsARecord>false</enableResourceNameDnsARecord><enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord></privateDnsNameOptions><bootMode>uefi</bootMode><currentInstanceBootMode>uefi</currentInstanceBootMode>`
