package gateway

// Health of an endpoint as its source sees it.
type Health uint8

// A Warning endpoint takes traffic at its warning weight; Critical and Draining ones take none.
const (
	Healthy Health = iota
	Warning
	Critical
	Draining
)

// String is the word that status shows.
func (h Health) String() string { return [...]string{"passing", "warning", "critical", "draining"}[h] }

// Endpoint is one address that a source reports. It is a value: whoever holds one may keep it, nobody changes its maps.
type Endpoint struct {
	ID       string // unique within the source: node/service id, address:port for what has no id
	Address  string // IP address
	Port     uint16
	Health   Health
	Weight   uint32 // relative to the other endpoints of the source; 0 means 1
	Locality Locality
	Tags     []string          // sorted
	Meta     map[string]string // metadata that subsets may select on
}

// Locality is where an endpoint runs, as Envoy's core.v3.Locality has it.
type Locality struct{ Region, Zone, SubZone string }
