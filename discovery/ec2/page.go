package ec2

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// AWS says of an instance several kilobytes of XML, and says it again at every call. A page remembers what each
// reservation of an answer was, by the digest of its text, and has only those read that are new: an answer that is as
// the last one costs a look at its bytes.

// A page is bounded in size, and so is a reservation in it, which may have as many instances as a page.
const (
	mostBytes       = 64 << 20
	mostReservation = 32 << 20
)

type digest [sha256.Size]byte

// known are the instances of reservations by the digest of their text. It is not changed once it is in use.
type known map[digest][]*instance

// page reads one page of an answer. It is of one call.
type page struct {
	known known // of the last answer

	seen      known // of this page
	instances []*instance
}

const deserializer = "OperationDeserializer" // of the SDK

// attach puts the page before the SDK's own reading of an answer.
func (p *page) attach(stack *middleware.Stack) error {
	own, ok := stack.Deserialize.Get(deserializer)
	if !ok {
		return errors.New("the client of EC2 reads answers in another way than is known here")
	}
	_, err := stack.Deserialize.Swap(deserializer, middleware.DeserializeMiddlewareFunc(deserializer, func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		return p.read(ctx, in, own, next)
	}))
	return err
}

func (p *page) read(ctx context.Context, in middleware.DeserializeInput, own middleware.DeserializeMiddleware, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	var fresh []digest
	out, metadata, err := own.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(func(
		ctx context.Context, in middleware.DeserializeInput,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		response, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || response.StatusCode != 200 {
			return out, metadata, err
		}
		var rest []byte
		rest, fresh, err = p.cut(response.Body)
		_ = response.Body.Close() // it was read
		if err != nil {
			return out, metadata, &smithy.DeserializationError{Err: err}
		}
		response.Body = io.NopCloser(bytes.NewReader(rest))
		return out, metadata, nil
	}))
	if err != nil {
		return out, metadata, err
	}
	return out, metadata, p.learn(out.Result, fresh)
}

// learn takes over what the SDK has read, which are the reservations with these digests.
func (p *page) learn(result any, fresh []digest) error {
	answer, ok := result.(*ec2.DescribeInstancesOutput)
	if !ok || len(answer.Reservations) != len(fresh) {
		return &smithy.DeserializationError{Err: errors.New("the answer is not made as one of EC2")}
	}
	for n, r := range answer.Reservations {
		list := make([]*instance, 0, len(r.Instances))
		for i := range r.Instances {
			list = append(list, newInstance(&r.Instances[i]))
		}
		p.seen[fresh[n]] = list
		p.instances = append(p.instances, list...)
	}
	return nil
}

// cut reads an answer, and returns it without the reservations that are known. fresh are the digests of those that it
// still has, in their order.
func (p *page) cut(body io.Reader) (rest []byte, fresh []digest, err error) {
	p.seen, p.instances = known{}, nil // a call may be made again
	bounded := &io.LimitedReader{R: body, N: mostBytes}
	s := &splitter{}
	scanner := bufio.NewScanner(bounded)
	scanner.Buffer(make([]byte, 0, 64<<10), mostReservation)
	scanner.Split(s.split)
	for scanner.Scan() {
		token := scanner.Bytes()
		if !s.reservation {
			rest = append(rest, token...)
			continue
		}
		d := digest(sha256.Sum256(token))
		list, ok := p.known[d]
		if !ok {
			fresh, rest = append(fresh, d), append(rest, token...)
			continue
		}
		p.seen[d] = list
		p.instances = append(p.instances, list...)
	}
	switch err := scanner.Err(); {
	case bounded.N <= 0:
		return nil, nil, fmt.Errorf("an answer has more than %d bytes", mostBytes)
	case err != nil:
		return nil, nil, fmt.Errorf("read an answer: %w", err)
	case s.state != behind:
		return nil, nil, errors.New("an answer has no list of reservations, or a part of one")
	}
	return rest, fresh, nil
}

// splitter is a bufio.SplitFunc that cuts an answer into reservations and what stands around them.
type splitter struct {
	state       place
	reservation bool // the last token is one
	element     element
}

type place uint8

const (
	before place = iota // the list of reservations
	within
	behind
)

var (
	listBegins = []byte("<reservationSet>")
	listEmpty  = []byte("<reservationSet/>")
	listEnds   = []byte("</reservationSet>")
	itemBegins = []byte("<item>")
)

var errMarkup = errors.New("a list of reservations has markup that is not understood")

func (s *splitter) split(data []byte, atEOF bool) (int, []byte, error) {
	s.reservation = false
	if len(data) == 0 {
		return 0, nil, nil
	}
	switch s.state {
	case before:
		if at := bytes.Index(data, listBegins); at >= 0 {
			s.state = within
			return at + len(listBegins), data[:at+len(listBegins)], nil
		}
		if at := bytes.Index(data, listEmpty); at >= 0 {
			s.state = behind
			return at + len(listEmpty), data[:at+len(listEmpty)], nil
		}
		// What might be the beginning of it waits for the rest.
		if n := len(data) - len(listEmpty); n > 0 && !atEOF {
			return n, data[:n], nil
		}
	case within:
		return s.splitList(data, atEOF)
	case behind:
		return len(data), data, nil
	}
	if atEOF {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// splitList is split within the list.
func (s *splitter) splitList(data []byte, atEOF bool) (int, []byte, error) {
	blank := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	switch {
	case blank > 0:
		return blank, data[:blank], nil
	case bytes.HasPrefix(data, listEnds):
		s.state = behind
		return len(listEnds), data[:len(listEnds)], nil
	case bytes.HasPrefix(data, itemBegins):
		n, err := s.element.end(data)
		if n > 0 {
			s.reservation, s.element = true, element{}
			return n, data[:n], nil
		}
		if err == nil && atEOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	case len(data) < len(listEnds) && !atEOF:
		return 0, nil, nil
	case len(data) < len(listEnds):
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, errMarkup
}

// element is the search for the end of one, which goes on where it stopped when more of it has arrived.
type element struct{ at, depth int }

// end is the length of the element that data begins with; 0 means that its end is not there yet.
func (e *element) end(data []byte) (int, error) {
	for {
		open := bytes.IndexByte(data[e.at:], '<')
		if open < 0 {
			e.at = len(data)
			return 0, nil
		}
		e.at += open
		end, isTag, err := markup(data[e.at:])
		if end == 0 || err != nil {
			return 0, err
		}
		tag := data[e.at : e.at+end]
		e.at += end
		switch {
		case !isTag:
			continue
		case tag[1] == '/':
			e.depth--
		case tag[len(tag)-2] != '/':
			e.depth++
		}
		if e.depth == 0 {
			return e.at, nil
		}
	}
}

// aside is markup that is no tag.
var aside = []struct{ begins, ends []byte }{
	{[]byte("<!--"), []byte("-->")}, {[]byte("<![CDATA["), []byte("]]>")}, {[]byte("<?"), []byte("?>")},
}

// markup is the length of the markup that data begins with; 0 means that its end is not there yet.
func markup(data []byte) (n int, isTag bool, err error) {
	for _, a := range aside {
		if bytes.HasPrefix(data, a.begins) {
			if n = bytes.Index(data[len(a.begins):], a.ends); n >= 0 {
				return len(a.begins) + n + len(a.ends), false, nil
			}
			return 0, false, nil
		}
		if bytes.HasPrefix(a.begins, data) { // it may become one
			return 0, false, nil
		}
	}
	n = bytes.IndexByte(data, '>') + 1
	if n > 0 && (n < 3 || data[1] == '!') {
		return 0, false, errMarkup
	}
	return n, true, nil
}
