package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// What Lambda takes as an event: 6 MB, 1 MB without an answer.
const (
	maxEvent      = 6 << 20
	maxAsyncEvent = 1 << 20
)

type lambdaVersionKey struct{}

// LambdaVersion is the version of the function that a simulator's handler runs as: $LATEST or a number.
func LambdaVersion(ctx context.Context) string {
	v, _ := ctx.Value(lambdaVersionKey{}).(string)
	return v
}

// resolve finds the version that a qualifier means, and what runs it.
func (f SimulatedFunction) resolve(qualifier string) (version string, run LambdaHandler, ok bool) {
	version = qualifier
	if alias, ok := f.Aliases[qualifier]; ok {
		version = alias.Version
		share := rand.Float64()
		for _, v := range slices.Sorted(maps.Keys(alias.Weights)) {
			if share -= alias.Weights[v]; share < 0 {
				version = v
				break
			}
		}
	}
	run = f.Handler
	if version != "" && version != latest {
		special, ok := f.Versions[version]
		if !ok {
			return version, nil, false
		}
		if special != nil {
			run = special
		}
	} else {
		version = latest
	}
	return version, run, true
}

func (s *LambdaSimulator) invoke(w http.ResponseWriter, r *http.Request, f SimulatedFunction, c lambdaCall) {
	version, run, ok := f.resolve(c.qualifier)
	if !ok {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+s.arn(c.function)+":"+c.qualifier)
		return
	}
	kind, limit := r.Header.Get("X-Amz-Invocation-Type"), maxEvent
	if kind == "Event" {
		limit = maxAsyncEvent
	}
	event, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "InvalidRequestContentException", err.Error())
		return
	case len(event) > limit:
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", fmt.Sprintf("%d byte payload is too large", len(event)))
		return
	case len(event) > 0 && !json.Valid(event):
		refuse(w, http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json")
		return
	}
	w.Header().Set("X-Amz-Executed-Version", version)
	switch kind {
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	case "Event":
		s.events.Go(func() { _, _ = f.run(s.ending, run, version, event) })
		w.WriteHeader(http.StatusAccepted)
	case "", "RequestResponse":
		result, err := f.run(r.Context(), run, version, event)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			result = functionError(err)
		}
		_, _ = w.Write(result)
	default:
		refuse(w, http.StatusBadRequest, "InvalidParameterValueException", "invocation type "+kind)
	}
}

// errTaskTimedOut is the failure of a function that took longer than it may.
type errTaskTimedOut time.Duration

func (e errTaskTimedOut) Error() string {
	return fmt.Sprintf("Task timed out after %.2f seconds", time.Duration(e).Seconds())
}

// run calls a function, whose context ends when its time is over. One without a handler answers with its event.
func (f SimulatedFunction) run(ctx context.Context, run LambdaHandler, version string, event []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, lambdaVersionKey{}, version), f.timeout())
	defer cancel()
	if run == nil {
		return event, nil
	}
	result, err := run(ctx, event)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, errTaskTimedOut(f.timeout())
	}
	return result, err
}
