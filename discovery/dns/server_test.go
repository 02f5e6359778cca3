package dns

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// server answers on one UDP and TCP port as its mode says.
type server struct {
	mu      sync.Mutex
	records []dns.RR // of any name; those of the asked name and type are the answer
	extra   []dns.RR
	mode    mode
	udp     int // questions over each transport
	tcp     int
	moved   chan struct{} // closed when the mode changes
	addr    string
}

type mode int

const (
	answers   mode = iota
	nxdomain       // no such name
	fails          // SERVFAIL
	hangs          // says nothing
	truncates      // over UDP: half of it
	lies           // answers another question
	halves         // the packet ends in its middle
)

func serve(t *testing.T, records ...string) *server {
	t.Helper()
	s := &server{moved: make(chan struct{})}
	s.set(t, answers, records...)
	var packets net.PacketConn
	var stream net.Listener
	for range 20 { // the kernel's choice for TCP may be taken for UDP
		var err error
		if stream, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if packets, err = net.ListenPacket("udp", stream.Addr().String()); err == nil {
			break
		}
		stream.Close()
		packets = nil
	}
	if packets == nil {
		t.Fatal("no port is free for both transports")
	}
	s.addr = stream.Addr().String()
	for _, d := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: stream, Handler: s}} {
		up, done := make(chan struct{}), make(chan error, 1)
		d.NotifyStartedFunc = func() { close(up) }
		go func() { done <- d.ActivateAndServe() }()
		<-up
		t.Cleanup(func() {
			s.set(t, fails) // whoever hangs goes on
			if err := d.Shutdown(); err != nil {
				t.Error(err)
			}
			<-done
		})
	}
	return s
}

func (s *server) set(t *testing.T, m mode, records ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode, s.records, s.extra = m, nil, nil
	for _, text := range records {
		text, extra := strings.CutPrefix(text, "+")
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Error(err)
		}
		if extra {
			s.extra = append(s.extra, rr)
		} else {
			s.records = append(s.records, rr)
		}
	}
	close(s.moved)
	s.moved = make(chan struct{})
}

// ServeDNS implements dns.Handler.
func (s *server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	m, moved := s.mode, s.moved
	_, overUDP := w.RemoteAddr().(*net.UDPAddr)
	if overUDP {
		s.udp++
	} else {
		s.tcp++
	}
	r := new(dns.Msg).SetReply(q)
	for _, rr := range s.records {
		same := strings.EqualFold(rr.Header().Name, q.Question[0].Name)
		if same && (rr.Header().Rrtype == q.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME) {
			r.Answer = append(r.Answer, rr)
		}
	}
	r.Extra = s.extra
	s.mu.Unlock()
	switch {
	case m == hangs:
		<-moved
		return
	case m == nxdomain:
		r.Answer, r.Rcode = nil, dns.RcodeNameError
	case m == fails:
		r.Answer, r.Rcode = nil, dns.RcodeServerFailure
	case m == truncates && overUDP:
		r.Answer, r.Truncated = r.Answer[:len(r.Answer)/2], true
	case m == lies:
		r.Question[0].Name = "other."
	}
	if m == halves {
		if packet, err := r.Pack(); err == nil {
			_, _ = w.Write(packet[:len(packet)/2])
		}
		return
	}
	_ = w.WriteMsg(r) // a client that has gone is none of the server's business
}

// a writes n A records of shop.internal.
func a(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("shop.internal. 60 IN A 10.0.0.%d", i+1))
	}
	return out
}
