package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

var (
	errNotOpened = errors.New("watch endpointslices")
	errNonsense  = errors.New("watch endpointslices: what came cannot be used")
	errSilence   = errors.New("silence")
)

// watch reads events from a version on. opened says that the server has begun. It returns nil when the server ends the
// stream, and when it has said nothing for a while: a new watch then shows whether it is alive. An error wraps
// errNotOpened, errNonsense or an *apiError, or says how the stream broke.
func (c *Client) watch(ctx context.Context, q question, timeout, silence time.Duration, opened func(), say func(event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	path, query := c.at(q)
	query.Set("watch", "true")
	query.Set("allowWatchBookmarks", "true")
	query.Set("resourceVersion", q.version)
	query.Set("timeoutSeconds", strconv.Itoa(max(1, int(q.lasting.Seconds()))))
	tooLate := time.AfterFunc(timeout, func() { cancel(fmt.Errorf("no answer within %s", timeout)) })
	res, err := c.request(ctx, http.MethodGet, path, query, nil)
	if !tooLate.Stop() {
		<-ctx.Done()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNotOpened, late(ctx, err))
	}
	defer res.Body.Close()
	opened()
	quiet := time.AfterFunc(silence, func() { cancel(errSilence) })
	defer quiet.Stop()
	lines := bufio.NewReaderSize(res.Body, 16<<10)
	for {
		line, err := readLine(lines, maxLine)
		switch {
		case errors.Is(context.Cause(ctx), errSilence):
			return nil
		case errors.Is(err, errLongLine):
			return fmt.Errorf("%w: %w", errNonsense, err)
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("watch endpointslices: the stream broke: %w", err)
		}
		quiet.Reset(silence)
		if len(line) == 0 {
			continue
		}
		e, err := parseEvent(line)
		if said, ok := errors.AsType[*apiError](err); ok {
			return fmt.Errorf("watch endpointslices: %w", said)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errNonsense, err)
		}
		say(e)
	}
}

var errLongLine = fmt.Errorf("a line of more than %d MiB", maxLine>>20)

// readLine reads up to a line's end, which it leaves out. io.EOF comes with what stood before it.
func readLine(r *bufio.Reader, most int) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, errLongLine
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}
