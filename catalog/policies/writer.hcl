# What a replica needs beside reader.hcl: the lock, what the replica that holds it keeps in KV, and its sign of life.
# Change "sluice/" where consul_prefix is another.

session_prefix "" {
  policy = "write"
}

key "sluice/lock" {
  policy = "write"
}

key_prefix "sluice/status/" {
  policy = "write"
}

key_prefix "sluice/accepted/" {
  policy = "write"
}

# What references to functions led to.
key_prefix "sluice/accepted-functions/" {
  policy = "write"
}

key_prefix "sluice/history/" {
  policy = "write"
}

key_prefix "sluice/quarantine/" {
  policy = "write"
}

# A replica says here that it is alive, and which generation of the filter list it can serve.
key_prefix "sluice/replicas/" {
  policy = "write"
}
