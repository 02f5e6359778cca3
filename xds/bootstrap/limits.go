package bootstrap

import (
	"fmt"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	heapMonitor        = "envoy.resource_monitors.fixed_heap"
	connectionsMonitor = "envoy.resource_monitors.global_downstream_max_connections"

	shrinkAt  = 0.95 // share of the heap at which memory is given back and connections are no longer accepted
	refuseAt  = 0.98 // share of the heap at which requests are refused
	refreshed = 250 * time.Millisecond
)

// runtimeLayers bounds regular expressions. Envoy warns of none below: path templates are expressions too, and a line in
// the log for each would be a flood.
func runtimeLayers() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "sluice",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level": structpb.NewNumberValue(gateway.MaxRegexProgram),
			"re2.max_program_size.warn_level":  structpb.NewNumberValue(gateway.MaxRegexProgram),
		}}},
	}}}
}

func overloadManager(o Options) (*overloadv3.OverloadManager, error) {
	heap, err := monitor(heapMonitor, &heapv3.FixedHeapConfig{MaxHeapSizeBytes: o.MaxHeap})
	if err != nil {
		return nil, fmt.Errorf("overload: %w", err)
	}
	connections, err := monitor(connectionsMonitor, &connectionsv3.DownstreamConnectionsConfig{
		MaxActiveDownstreamConnections: int64(o.MaxConnections),
	})
	if err != nil {
		return nil, fmt.Errorf("overload: %w", err)
	}
	return &overloadv3.OverloadManager{
		RefreshInterval:  durationpb.New(refreshed),
		ResourceMonitors: []*overloadv3.ResourceMonitor{heap, connections},
		Actions: []*overloadv3.OverloadAction{
			{Name: "envoy.overload_actions.shrink_heap", Triggers: []*overloadv3.Trigger{heapAbove(shrinkAt)}},
			{Name: "envoy.overload_actions.stop_accepting_requests", Triggers: []*overloadv3.Trigger{heapAbove(refuseAt)}},
		},
		LoadshedPoints: []*overloadv3.LoadShedPoint{
			{Name: "envoy.load_shed_points.tcp_listener_accept", Triggers: []*overloadv3.Trigger{heapAbove(shrinkAt)}},
		},
	}, nil
}

func monitor(name string, config proto.Message) (*overloadv3.ResourceMonitor, error) {
	packed, err := pack(config)
	if err != nil {
		return nil, err
	}
	return &overloadv3.ResourceMonitor{
		Name: name, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: packed},
	}, nil
}

func heapAbove(share float64) *overloadv3.Trigger {
	return &overloadv3.Trigger{Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Threshold{
		Threshold: &overloadv3.ThresholdTrigger{Value: share},
	}}
}
