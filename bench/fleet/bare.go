package fleet

import (
	"strconv"
	"strings"
	"sync"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

// Bare is a server that knows nothing: it sends the same bytes to every stream and reads what comes back.
type Bare struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer

	mu      sync.Mutex
	streams map[chan *discoveryv3.DeltaDiscoveryResponse]struct{}
	nonce   int
}

// NewBare returns a server without streams.
func NewBare() *Bare { return &Bare{streams: map[chan *discoveryv3.DeltaDiscoveryResponse]struct{}{}} }

// Streams is how many clients are connected.
func (b *Bare) Streams() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.streams)
}

// Send sends a response with one resource of about so many bytes to every stream.
func (b *Bare) Send(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nonce++
	body := &anypb.Any{TypeUrl: resource.EndpointType, Value: []byte(strings.Repeat("x", size))}
	for c := range b.streams {
		c <- &discoveryv3.DeltaDiscoveryResponse{
			TypeUrl: resource.EndpointType, Nonce: strconv.Itoa(b.nonce),
			Resources: []*discoveryv3.Resource{{Name: "one", Version: "1", Resource: body}},
		}
	}
}

// DeltaAggregatedResources implements the service.
func (b *Bare) DeltaAggregatedResources(s grpc.BidiStreamingServer[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]) error {
	c := make(chan *discoveryv3.DeltaDiscoveryResponse, 16)
	b.mu.Lock()
	b.streams[c] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.streams, c)
		b.mu.Unlock()
	}()
	go func() {
		for {
			select {
			case r := <-c:
				if s.Send(r) != nil {
					return
				}
			case <-s.Context().Done():
				return
			}
		}
	}()
	for {
		if _, err := s.Recv(); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
	}
}
