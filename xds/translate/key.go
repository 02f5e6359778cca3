package translate

import "github.com/sluice-gateway/sluice/gateway"

// KeyOf names the resource that a unit becomes, whether it is there or to be removed. The extensions of different kinds
// share one name space, so a signer's name says what it is.
func KeyOf(u gateway.Unit) Key {
	name := u.Name
	if u.Type == gateway.UnitSigner {
		name = "signer/" + u.Name
	}
	if u.Type == gateway.UnitHTTP3 {
		name = u.Name + http3Suffix
	}
	return Key{TypeURL: [...]string{
		gateway.UnitListener:   ListenerType,
		gateway.UnitRoutes:     RoutesType,
		gateway.UnitHost:       HostType,
		gateway.UnitCluster:    ClusterType,
		gateway.UnitAssignment: AssignmentType,
		gateway.UnitSecret:     SecretType,
		gateway.UnitSigner:     ExtensionType,
		gateway.UnitScript:     ExtensionType,
		gateway.UnitScope:      ScopeType,
		gateway.UnitHTTP3:      ListenerType,
	}[u.Type], Name: name}
}
