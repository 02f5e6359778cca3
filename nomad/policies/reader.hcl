# What sluice asks of Nomad: services, their events, and the checks of their allocations. Name single namespaces instead
# of all to narrow it.
namespace "*" {
  capabilities = ["read-job"]
}
