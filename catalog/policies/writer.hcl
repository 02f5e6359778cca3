# What a replica needs beside reader.hcl: the lock, and what the replica that holds it keeps in KV.
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

key_prefix "sluice/history/" {
  policy = "write"
}

key_prefix "sluice/quarantine/" {
  policy = "write"
}
