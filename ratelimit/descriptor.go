package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	commonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
)

// The first entries of a descriptor, in this order. The route's configuration writes them; what clients send is only
// ever the value of a later one.
const (
	EntryName = "sluice.limit" // which counters
	EntryRate = "sluice.rate"  // REQUESTS/PER or, to count without refusing, REQUESTS/PER/shadow
)

const maxPer = 24 * time.Hour

// rule is a descriptor that was read.
type rule struct {
	name   string
	limit  Limit
	shadow bool
	key    Key
}

// Rate is the value of EntryRate.
func Rate(limit Limit, shadow bool) string {
	text := strconv.FormatUint(limit.Requests, 10) + "/" + limit.Per.String()
	if shadow {
		text += "/shadow"
	}
	return text
}

func readRate(text string) (limit Limit, shadow bool, err error) {
	fields := strings.Split(text, "/")
	if len(fields) == 3 && fields[2] == "shadow" {
		shadow, fields = true, fields[:2]
	}
	if len(fields) != 2 {
		return Limit{}, false, fmt.Errorf("read rate %q: it must be REQUESTS/PER", text)
	}
	if limit.Requests, err = strconv.ParseUint(fields[0], 10, 32); err != nil {
		return Limit{}, false, fmt.Errorf("read rate %q: %w", text, err)
	}
	if limit.Per, err = time.ParseDuration(fields[1]); err != nil {
		return Limit{}, false, fmt.Errorf("read rate %q: %w", text, err)
	}
	if limit.Per < time.Second || limit.Per > maxPer {
		return Limit{}, false, fmt.Errorf("read rate %q: the time must be between 1s and %s", text, maxPer)
	}
	return limit, shadow, nil
}

// read reads a descriptor. Its counter is named by all entries but the rate, so that a limit can be raised without
// forgetting what was counted.
func read(domain string, d *commonv3.RateLimitDescriptor) (r rule, err error) {
	e := d.GetEntries()
	if len(e) < 2 || e[0].GetKey() != EntryName || e[1].GetKey() != EntryRate {
		return rule{}, fmt.Errorf("read descriptor: it does not begin with %s and %s", EntryName, EntryRate)
	}
	r.name = e[0].GetValue()
	if r.limit, r.shadow, err = readRate(e[1].GetValue()); err != nil {
		return rule{}, err
	}
	var text []byte
	add := func(s string) { text = append(binary.AppendUvarint(text, uint64(len(s))), s...) }
	add(domain)
	add(r.name)
	for _, entry := range e[2:] {
		add(entry.GetKey())
		add(entry.GetValue())
	}
	r.key = sha256.Sum256(text)
	return r, nil
}
