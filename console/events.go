package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// keepalive is how often a quiet stream of events says that it lives.
const keepalive = 20 * time.Second

// events answers GET /v1/events: those after since, and with follow those to come. Lines of JSON, or server-sent
// events where the client accepts text/event-stream.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var since uint64
	for _, text := range []string{q.Get("since"), r.Header.Get("Last-Event-ID")} {
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("since %q is no event number", text))
			return
		}
		since = max(since, n)
	}
	sse := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	if !q.Has("follow") || q.Get("follow") == "false" {
		f := follower{w: w, sse: sse}
		f.head()
		_ = f.send(s.cfg.Facts.Events(since))
		return
	}
	select {
	case s.followers <- struct{}{}:
		defer func() { <-s.followers }()
	default:
		fail(w, http.StatusServiceUnavailable, errors.New("too many clients follow events"))
		return
	}
	s.follow(follower{w: w, rc: http.NewResponseController(w), sse: sse, patience: s.patience}, r, since)
}

func (s *Server) follow(f follower, r *http.Request, since uint64) {
	changed, end := s.cfg.World.Subscribe()
	defer end()
	tick := time.NewTicker(keepalive)
	defer tick.Stop()
	_ = f.rc.SetReadDeadline(time.Time{})
	f.head()
	for {
		list := s.cfg.Facts.Events(since)
		if len(list) > 0 {
			since = list[len(list)-1].ID
		}
		if f.send(list) != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-tick.C:
			if f.alive() != nil {
				return
			}
		}
	}
}

// follower is one client of events. It is dropped when it does not take a write within patience.
type follower struct {
	w   http.ResponseWriter
	rc  *http.ResponseController // nil: the answer ends by itself
	sse bool

	patience time.Duration
}

func (f follower) head() {
	contentType := "application/x-ndjson"
	if f.sse {
		contentType = "text/event-stream"
	}
	head(f.w, contentType)
}

func (f follower) send(list []Event) error {
	var b bytes.Buffer
	for _, e := range list {
		raw, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if f.sse {
			fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", e.ID, raw)
		} else {
			b.Write(append(raw, '\n'))
		}
	}
	return f.write(b.Bytes())
}

func (f follower) alive() error {
	if f.sse {
		return f.write([]byte(": alive\n\n"))
	}
	return f.write([]byte("\n"))
}

func (f follower) write(b []byte) error {
	if f.rc != nil {
		if err := f.rc.SetWriteDeadline(time.Now().Add(f.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	if _, err := f.w.Write(b); err != nil {
		return err
	}
	if f.rc == nil {
		return nil
	}
	return f.rc.Flush()
}
