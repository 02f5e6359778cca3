package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/gateway"
)

// valueField is the field of what is one value.
const valueField = "value"

// fileReader reads a file whenever it changes.
type fileReader struct {
	spec  *gateway.FileValue
	watch *fileWatch
}

func (r *fileReader) step(context.Context) (outcome, error) {
	f, err := os.Open(r.spec.Path)
	if err != nil {
		return outcome{}, refusedf("%v", err) // names the path alone
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return outcome{}, refusedf("%v", err)
	}
	if len(b) > maxFile {
		return outcome{}, shapef("read %s: it is larger than %d bytes", r.spec.Path, maxFile)
	}
	found, err := parseFile(r.spec, b)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{again: time.Minute, fresh: true, material: found}
	if info, err := f.Stat(); err == nil {
		out.note = "file of " + info.ModTime().UTC().Format(time.RFC3339)
	}
	return out, nil
}

// parseFile takes the fields from a file. Errors say nothing of what is in it.
func parseFile(spec *gateway.FileValue, b []byte) (fields, error) {
	if !spec.JSON {
		if spec.Field != "" {
			return nil, shapef("read %s: a field is chosen, which only a file with json = true has", spec.Path)
		}
		b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		if len(b) == 0 {
			return nil, shapef("read %s: it is empty", spec.Path)
		}
		return fields{valueField: b}, nil
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil || all == nil {
		return nil, shapef("read %s: it is not one JSON object, or is half written", spec.Path)
	}
	found, err := choose(all, spec.Field)
	if err != nil {
		return nil, shapef("read %s: %v", spec.Path, err)
	}
	return found, nil
}

func (r *fileReader) wake(bool) <-chan struct{}    { return r.watch.changed }
func (r *fileReader) patience(error) time.Duration { return downRetry }

func (r *fileReader) end() []lease {
	r.watch.close()
	return nil
}

// choose takes the strings of what was read. With a field it has to be one of them; else there has to be one at least.
// What is one value, by choice or because there is no other, is there under valueField too.
func choose(all map[string]any, field string) (fields, error) {
	found, last := fields{}, ""
	for name, v := range all {
		if s, ok := v.(string); ok && s != "" {
			found[name], last = []byte(s), name
		}
	}
	if field != "" {
		v, there := all[field]
		s, isString := v.(string)
		switch {
		case !there:
			return nil, fmt.Errorf("there is no field %q", field)
		case !isString:
			return nil, fmt.Errorf("the field %q is not a string", field)
		case s == "":
			return nil, fmt.Errorf("the field %q is empty", field)
		case !utf8.ValidString(s):
			return nil, fmt.Errorf("the field %q is not text", field)
		}
		found[valueField] = []byte(s)
		return found, nil
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("there is no field with a string in it")
	case len(found) == 1 && len(all) == 1:
		found[valueField] = found[last]
	}
	return found, nil
}
