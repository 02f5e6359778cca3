package nomad

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"
)

// change is one event of a service.
type change struct {
	reg  *api.ServiceRegistration
	gone bool // deregistered
	read bool // what happened is not told: the service has to be read
}

// batch is what one line of an event stream says; no changes are a heartbeat.
type batch struct {
	index   uint64
	changes []change
}

const (
	typeRegistration   = "ServiceRegistration"
	typeDeregistration = "ServiceDeregistration"
	longestLine        = 64 << 20 // of a stream: the registrations of one transaction
)

// errNothing says that a stream ended before its first line. Newer releases refuse one so: the answer was 200 already.
var errNothing = errors.New("the event stream ended before its first line: the token may lack read-job, or the event broker is off")

// errSilent says that a stream, open or opening, is dead: not even heartbeats come.
var errSilent = errors.New("nothing is heard, not even heartbeats")

// parseLine reads one line of an event stream. Events of other topics are left out.
func parseLine(line []byte) (batch, error) {
	var in struct {
		Index  uint64
		Events []struct {
			Topic, Type, Namespace string
			Payload                struct{ Service *api.ServiceRegistration }
		}
		Error, Err json.RawMessage
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return batch{}, fmt.Errorf("read an event: %w", err)
	}
	for _, e := range []json.RawMessage{in.Error, in.Err} {
		if len(e) > 0 && string(e) != "null" {
			return batch{}, errors.New("nomad ended the event stream with an error")
		}
	}
	if in.Index == 0 && len(in.Events) > 0 {
		return batch{}, errors.New("read an event: it has no index")
	}
	out := batch{index: in.Index}
	for _, e := range in.Events {
		if e.Topic != string(api.TopicService) {
			continue
		}
		s := e.Payload.Service
		switch {
		case s == nil || s.ServiceName == "" || s.ID == "":
			return batch{}, errors.New("read an event: it names no service")
		case e.Type == typeRegistration:
			out.changes = append(out.changes, change{reg: s})
		case e.Type == typeDeregistration:
			out.changes = append(out.changes, change{reg: s, gone: true})
		default: // an allocation or a node has ended, and taken its services along, or not
			out.changes = append(out.changes, change{reg: s, read: true})
		}
	}
	return out, nil
}

// stream subscribes to the services of a namespace from an index on, and hands on what each line says, heartbeats
// included, until the stream ends, is silent, or line returns an error. It never returns nil.
func (c *Client) stream(ctx context.Context, at scope, index uint64, line func(batch) error) error {
	ctx, cancel := context.WithCancelCause(waiting(ctx))
	defer cancel(nil)
	silent := time.AfterFunc(c.pace.open, func() { cancel(errSilent) })
	defer silent.Stop()
	body, err := c.api.Raw().Response("/v1/event/stream?topic=Service&index="+strconv.FormatUint(index, 10), c.options(ctx, at))
	if err != nil {
		return fmt.Errorf("open the event stream of %s: %w", at, plain(ctx, err, "read-job", at))
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 4<<10), longestLine)
	heard := false
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		b, err := parseLine(lines.Bytes())
		if err != nil {
			return fmt.Errorf("event stream of %s: %w", at, err)
		}
		silent.Stop() // what line does has deadlines of its own
		if err := line(b); err != nil {
			return err
		}
		heard = true
		silent.Reset(c.pace.silence)
	}
	err = lines.Err()
	switch {
	case context.Cause(ctx) != nil:
		err = context.Cause(ctx)
	case !heard:
		err = errNothing
	case err == nil:
		err = io.ErrUnexpectedEOF // a stream has no end of its own
	}
	return fmt.Errorf("event stream of %s: %w", at, err)
}
