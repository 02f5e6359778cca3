# What a replica needs to serve: documents and values from KV, services and their health.
# Change "sluice/" where consul_prefix is another.

key_prefix "sluice/" {
  policy = "read"
}

service_prefix "" {
  policy = "read"
}

# Without it, health rows are left out of answers in silence.
node_prefix "" {
  policy = "read"
}
