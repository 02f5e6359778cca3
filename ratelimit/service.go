package ratelimit

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Service is Envoy's rate-limit service. It is safe for concurrent use.
type Service struct {
	rlsv3.UnimplementedRateLimitServiceServer
	counters *Counters
	now      func() time.Time
}

// NewService returns a service that counts in counters, by a clock.
func NewService(counters *Counters, now func() time.Time) *Service {
	return &Service{counters: counters, now: now}
}

// Register adds the service to a gRPC server.
func (s *Service) Register(g grpc.ServiceRegistrar) { rlsv3.RegisterRateLimitServiceServer(g, s) }

// ShouldRateLimit counts a request for each of its descriptors by itself, and refuses it if one of them does that is not
// a shadow. A descriptor that cannot be read is an error for the whole request, and nothing is counted.
func (s *Service) ShouldRateLimit(_ context.Context, r *rlsv3.RateLimitRequest) (*rlsv3.RateLimitResponse, error) {
	rules := make([]rule, 0, len(r.GetDescriptors()))
	for _, d := range r.GetDescriptors() {
		one, err := read(r.GetDomain(), d)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		rules = append(rules, one)
	}
	out := &rlsv3.RateLimitResponse{OverallCode: rlsv3.RateLimitResponse_OK}
	now, hits := s.now(), uint64(max(1, r.GetHitsAddend()))
	var policies, states []string
	var retry time.Duration
	for _, one := range rules {
		d := s.counters.Take(now, one.key, one.limit, hits)
		st := &rlsv3.RateLimitResponse_DescriptorStatus{
			Code: rlsv3.RateLimitResponse_OK, LimitRemaining: uint32(d.Remaining), DurationUntilReset: durationpb.New(d.Reset),
		}
		out.Statuses = append(out.Statuses, st)
		if one.shadow {
			continue
		}
		if !d.Allowed {
			st.Code, out.OverallCode = rlsv3.RateLimitResponse_OVER_LIMIT, rlsv3.RateLimitResponse_OVER_LIMIT
			retry = max(retry, d.Reset)
		}
		name := shown(one.name)
		policies = append(policies, fmt.Sprintf("%s;q=%d;w=%d", name, one.limit.Requests, seconds(one.limit.Per)))
		states = append(states, fmt.Sprintf("%s;r=%d;t=%d", name, d.Remaining, seconds(d.Reset)))
	}
	if len(policies) > 0 {
		out.ResponseHeadersToAdd = append(out.ResponseHeadersToAdd,
			header("ratelimit-policy", strings.Join(policies, ", ")), header("ratelimit", strings.Join(states, ", ")))
	}
	if out.OverallCode == rlsv3.RateLimitResponse_OVER_LIMIT {
		out.RawBody = []byte(`{"error":"too many requests","reason":"rate_limited"}`)
		out.ResponseHeadersToAdd = append(out.ResponseHeadersToAdd, header("content-type", "application/json"),
			header("x-sluice-error", "rate_limited"), header("retry-after", strconv.FormatInt(max(1, seconds(retry)), 10)))
	}
	return out, nil
}

// shown is the name of a limit as clients see it: what stands before @ tells limits of one name apart.
func shown(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return strconv.Quote(name)
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func header(key, value string) *corev3.HeaderValue {
	return &corev3.HeaderValue{Key: key, Value: value}
}
