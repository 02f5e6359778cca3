package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// udpSize is what fits into one packet on any path.
const udpSize = 1232

// ask puts one question to the servers in turn until one answers. An answer is NOERROR or NXDOMAIN; whatever else a
// server says is an error, and no answer at all too.
func (s *source) ask(ctx context.Context, servers []string, name string, qtype uint16) (*dns.Msg, error) {
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(udpSize, false)
	var errs []error
	for range s.tries {
		for _, server := range servers {
			answer, err := s.exchange(ctx, server, q)
			if err == nil {
				return answer, nil
			}
			errs = append(errs, fmt.Errorf("ask %s for %s %s: %w", server, dns.TypeToString[qtype], name, err))
			if ctx.Err() != nil {
				return nil, errors.Join(errs...)
			}
		}
	}
	return nil, errors.Join(errs...)
}

func (s *source) exchange(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	q = q.Copy()
	q.Id = dns.Id()
	answer, err := s.over(ctx, "udp", server, q)
	if err == nil && answer.Truncated {
		answer, err = s.over(ctx, "tcp", server, q)
	}
	switch {
	case err != nil:
		return nil, err
	case answer.Truncated:
		return nil, errors.New("the answer is truncated over TCP, too")
	case len(answer.Question) != 1 || !strings.EqualFold(answer.Question[0].Name, q.Question[0].Name) || answer.Question[0].Qtype != q.Question[0].Qtype:
		return nil, errors.New("the answer is to another question")
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("the server answered %s", dns.RcodeToString[answer.Rcode])
	}
	return answer, nil
}

// over asks one server over one transport. It ends with ctx, which the library looks at only when it dials.
func (s *source) over(ctx context.Context, network, server string, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0)) // a connection that is closed already needs none
	})
	defer stop()
	client := dns.Client{Net: network, Timeout: s.timeout, UDPSize: udpSize}
	answer, _, err := client.ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: conn, UDPSize: udpSize})
	if err != nil {
		return nil, err
	}
	return answer, nil
}
