package translate

import "github.com/sluice-gateway/sluice/gateway"

// KeyOf names the resource that a unit becomes, whether it is there or to be removed.
func KeyOf(u gateway.Unit) Key {
	return Key{TypeURL: [...]string{
		gateway.UnitListener:   ListenerType,
		gateway.UnitRoutes:     RoutesType,
		gateway.UnitHost:       HostType,
		gateway.UnitCluster:    ClusterType,
		gateway.UnitAssignment: AssignmentType,
	}[u.Type], Name: u.Name}
}
