package ec2

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// row is an instance of the fake.
type row struct {
	id, state, private, public, v6, zone, kind string
	tags                                       map[string]string
	impaired                                   string // which of the status checks: instance, system, attached-ebs
}

// fault is what the fake does instead of answering.
type fault struct {
	action  string // only at this one; empty: at any
	page    int    // only at this page of an answer, from 1; 0: at any
	times   int    // only so many times; 0: for ever
	code    string // of AWS
	status  int    // with code; 0 means 503
	message string
	hang    bool
	raw     *string // a body with status 200
	cut     bool    // half of the answer, and a Content-Length for all of it
	half    bool    // half of the answer, and nothing else amiss
}

// fake is an EC2 that answers by pages, knows a few filters, refuses others as AWS does, and can fail in all the ways of
// fault.
type fake struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	rows    []row
	size    int // of a page; 0 means 1000
	faults  []*fault
	mended  chan struct{} // closed when the faults end
	calls   map[string]int
	asked   []map[string][]string // the filters of each DescribeInstances, but for further pages
	signers []string              // access key and session token of each call
	detail  string                // more XML in each instance
}

func startFake(t testing.TB) *fake {
	f := &fake{t: t, mended: make(chan struct{}), calls: map[string]int{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.answer))
	t.Cleanup(func() {
		f.mend()
		f.Close()
	})
	return f
}

func (f *fake) mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
	close(f.mended)
	f.mended = make(chan struct{})
}

func (f *fake) put(rows ...row) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = rows
}

func (f *fake) fail(faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
	for _, x := range faults {
		f.faults = append(f.faults, &x)
	}
}

func (f *fake) called(action string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[action]
}

// Set, Fail and Hang are sourcetest.Remote.
func (f *fake) Set(n int) {
	f.mend()
	f.put(numbered(n)...)
}

func (f *fake) Fail() { f.mend(); f.fail(fault{code: "InternalError", status: 500}) }
func (f *fake) Hang() { f.mend(); f.fail(fault{hang: true}) }

// Half and Empty are sourcetest.Breaker.
func (f *fake) Half()  { f.mend(); f.fail(fault{half: true}) }
func (f *fake) Empty() { f.Set(0) }

// numbered are n instances of the service shop.
func numbered(n int) (out []row) {
	for i := range n {
		out = append(out, row{
			id: fmt.Sprintf("i-%017x", i), private: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), public: fmt.Sprintf("54.%d.%d.%d", i>>16, i>>8&255, i&255),
			zone: "us-east-1" + string(rune('a'+i%3)), tags: map[string]string{"service": "shop", "Name": "shop-" + strconv.Itoa(i)},
		})
	}
	return out
}

func (f *fake) fault(action string, page int) *fault {
	for i, x := range f.faults {
		if x.action != "" && x.action != action || x.page != 0 && x.page != page {
			continue
		}
		if x.times == 1 {
			f.faults = slices.Delete(slices.Clone(f.faults), i, i+1)
		} else if x.times > 1 {
			x.times--
		}
		return x
	}
	return nil
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action, first := r.Form.Get("Action"), 0
	if token := r.Form.Get("NextToken"); token != "" {
		first, _ = strconv.Atoi(strings.TrimPrefix(token, "at-"))
	}
	f.mu.Lock()
	size := f.size
	if size == 0 {
		size = 1000
	}
	f.calls[action]++
	key, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
	f.signers = append(f.signers, key+" "+r.Header.Get("X-Amz-Security-Token"))
	x, mended, rows := f.fault(action, first/size+1), f.mended, f.rows
	filters := filtersOf(r.Form)
	if action == "DescribeInstances" && first == 0 {
		f.asked = append(f.asked, filters)
	}
	f.mu.Unlock()
	status, body := f.page(action, filters, rows, first, size)
	if x == nil {
		x = &fault{}
	}
	switch {
	case x.hang:
		select {
		case <-mended:
		case <-r.Context().Done():
		}
	case x.code != "":
		status, body = max(x.status, 400), errorBody(x.code, x.message)
		if x.status == 0 {
			status = http.StatusServiceUnavailable
		}
	case x.raw != nil:
		body = *x.raw
	case x.cut:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		body = body[:len(body)/2]
	case x.half:
		body = body[:len(body)/2]
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func errorBody(code, message string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%d</RequestID></Response>`, code, message, time.Now().UnixNano())
}

func filtersOf(form map[string][]string) map[string][]string {
	out := map[string][]string{}
	for n := 1; ; n++ {
		name := form[fmt.Sprintf("Filter.%d.Name", n)]
		if name == nil {
			return out
		}
		for v := 1; form[fmt.Sprintf("Filter.%d.Value.%d", n, v)] != nil; v++ {
			out[name[0]] = append(out[name[0]], form[fmt.Sprintf("Filter.%d.Value.%d", n, v)][0])
		}
	}
}

func (f *fake) page(action string, filters map[string][]string, all []row, first, size int) (int, string) {
	var rows []row
	for _, r := range all {
		ok, err := r.meets(filters)
		if err != "" {
			return http.StatusBadRequest, errorBody("InvalidParameterValue", err)
		}
		if ok {
			rows = append(rows, r)
		}
	}
	var b strings.Builder
	last := min(first+size, len(rows))
	for _, r := range rows[min(first, last):last] {
		if action == "DescribeInstances" {
			b.WriteString(r.xml(f.detail))
		} else {
			b.WriteString(r.status())
		}
	}
	token := ""
	if last < len(rows) {
		token = fmt.Sprintf("<nextToken>at-%d</nextToken>", last)
	}
	list := "reservationSet"
	if action != "DescribeInstances" {
		list = "instanceStatusSet"
	}
	return http.StatusOK, fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<%[1]sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>%[2]d</requestId>
    <%[3]s>%[4]s</%[3]s>
    %[5]s
</%[1]sResponse>`, action, time.Now().UnixNano(), list, b.String(), token)
}

// meets knows a few filters, by text alone.
func (r row) meets(filters map[string][]string) (bool, string) {
	for name, values := range filters {
		has := ""
		switch key, isTag := strings.CutPrefix(name, "tag:"); {
		case isTag:
			v, ok := r.tags[key]
			if !ok {
				return false, ""
			}
			has = v
		case name == "instance-id":
			has = r.id
		case name == "availability-zone":
			has = r.zone
		case name == "instance-type":
			has = r.kind
		case strings.HasSuffix(name, "-status.status"):
			has = "ok"
			if r.impaired == strings.TrimSuffix(name, "-status.status") {
				has = "impaired"
			}
		default:
			return false, "The filter '" + name + "' is invalid"
		}
		if !slices.Contains(values, has) {
			return false, ""
		}
	}
	return true, ""
}

func element1(name, text string) string {
	if text == "" {
		return ""
	}
	return "<" + name + ">" + text + "</" + name + ">"
}

func (r row) xml(detail string) string {
	var tags strings.Builder
	for _, k := range slices.Sorted(maps.Keys(r.tags)) {
		fmt.Fprintf(&tags, "<item><key>%s</key><value>%s</value></item>", k, r.tags[k])
	}
	state := r.state
	if state == "" {
		state = "running"
	}
	return fmt.Sprintf(`
        <item>
            <reservationId>r-%s</reservationId><ownerId>123456789012</ownerId><groupSet/>
            <instancesSet>
                <item>
                    <instanceId>%s</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>%s</name></instanceState>
                    %s
                    <placement><availabilityZone>%s</availabilityZone><tenancy>default</tenancy></placement>
                    <tagSet>%s</tagSet>%s
                </item>
            </instancesSet>
        </item>`, r.id, r.id, state,
		element1("privateIpAddress", r.private)+element1("ipAddress", r.public)+element1("ipv6Address", r.v6)+element1("instanceType", r.kind), r.zone, tags.String(), detail)
}

func (r row) status() string {
	of := func(name string) string {
		if r.impaired == name {
			return "impaired"
		}
		return "ok"
	}
	return fmt.Sprintf(`<item><instanceId>%s</instanceId><instanceStatus><status>%s</status></instanceStatus><systemStatus><status>%s</status></systemStatus><attachedEbsStatus><status>%s</status></attachedEbsStatus></item>`,
		r.id, of("instance"), of("system"), of("attached-ebs"))
}

const canary = "canary-secret"

// hasty are options with which nothing takes long.
func hasty(t testing.TB) Options {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return Options{
		Connections: map[string]aws.Config{"main": {Credentials: credentials.NewStaticCredentialsProvider("AKIACANARY", canary, "canary-session")}},
		Transport:   transport, Timeout: 200 * time.Millisecond, pause: time.Millisecond,
		pace: pace{deadline: 5 * time.Second, gather: time.Millisecond, gap: time.Millisecond, pause: 10 * time.Millisecond, longest: 20 * time.Millisecond},
	}
}

// shop is a block that selects numbered's instances, every 20 ms.
func shop(endpoint string) *Spec {
	return &Spec{Region: "us-east-1", Tags: map[string]string{"service": "shop"}, Port: 8080, Address: usualAddress, Endpoint: endpoint, Interval: 20 * time.Millisecond}
}
