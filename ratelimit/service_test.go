package ratelimit

import (
	"strings"
	"testing"
	"time"

	commonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func descriptor(pairs ...string) *commonv3.RateLimitDescriptor {
	d := &commonv3.RateLimitDescriptor{}
	for i := 0; i < len(pairs); i += 2 {
		d.Entries = append(d.Entries, &commonv3.RateLimitDescriptor_Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return d
}

func ask(t *testing.T, s *Service, d ...*commonv3.RateLimitDescriptor) *rlsv3.RateLimitResponse {
	t.Helper()
	out, err := s.ShouldRateLimit(t.Context(), &rlsv3.RateLimitRequest{Domain: "sluice", Descriptors: d})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func headers(r *rlsv3.RateLimitResponse) string {
	var b strings.Builder
	for _, h := range r.GetResponseHeadersToAdd() {
		b.WriteString(h.GetKey() + ": " + h.GetValue() + "\n")
	}
	return b.String()
}

func TestTheServiceCountsPerKey(t *testing.T) {
	s := NewService(New(64), func() time.Time { return start })
	ann := descriptor(EntryName, "per_client@1", EntryRate, Rate(Limit{1, time.Minute}, false), "key0", "ann")
	if out := ask(t, s, ann); out.GetOverallCode() != rlsv3.RateLimitResponse_OK {
		t.Fatal(out)
	}
	out := ask(t, s, ann)
	want := `ratelimit-policy: "per_client";q=1;w=60`
	if out.GetOverallCode() != rlsv3.RateLimitResponse_OVER_LIMIT || !strings.Contains(headers(out), want) || !strings.Contains(headers(out), "retry-after: ") {
		t.Fatalf("%s\n%s", out, headers(out))
	}
	ben := descriptor(EntryName, "per_client@1", EntryRate, Rate(Limit{1, time.Minute}, false), "key0", "ben")
	if out := ask(t, s, ben); out.GetOverallCode() != rlsv3.RateLimitResponse_OK {
		t.Fatal("another client is refused")
	}
	shadow := descriptor(EntryName, "per_client@1", EntryRate, Rate(Limit{1, time.Minute}, true), "key0", "ann")
	if out := ask(t, s, shadow); out.GetOverallCode() != rlsv3.RateLimitResponse_OK {
		t.Fatal("a shadow refuses")
	}
}

func TestWhatClientsSendIsNoLimit(t *testing.T) {
	s := NewService(New(64), func() time.Time { return start })
	for _, d := range []*commonv3.RateLimitDescriptor{
		{}, descriptor("key0", "x", EntryName, "a", EntryRate, "9/1s"), descriptor(EntryName, "a", EntryRate, "9"),
		descriptor(EntryName, "a", EntryRate, "-1/1s"), descriptor(EntryName, "a", EntryRate, "1/1ns"),
	} {
		_, err := s.ShouldRateLimit(t.Context(), &rlsv3.RateLimitRequest{Descriptors: []*commonv3.RateLimitDescriptor{d}})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", d, err)
		}
	}
}

func FuzzDescriptor(f *testing.F) {
	f.Add("a@1", "9/1s/shadow", "key0", "a", "b")
	f.Fuzz(func(t *testing.T, name, rate, key, one, two string) {
		a, err := read("d", descriptor(EntryName, name, EntryRate, rate, key, one))
		if err != nil {
			return
		}
		if a.limit.Per < time.Second || a.limit.Per > maxPer {
			t.Fatal(a.limit)
		}
		if again, shadow, err := readRate(Rate(a.limit, a.shadow)); err != nil || again != a.limit || shadow != a.shadow {
			t.Fatal(again, err)
		}
		b, err := read("d", descriptor(EntryName, name, EntryRate, rate, key, two))
		if err != nil || (a.key == b.key) != (one == two) {
			t.Fatal("counters of two values")
		}
	})
}
