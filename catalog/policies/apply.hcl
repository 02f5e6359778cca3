# What an operator needs for apply, rollback, freeze and endpoint drain, beside reading the prefix.
# Change "sluice/" where consul_prefix is another; give a team its own folder of routes/ alone.

key_prefix "sluice/" {
  policy = "read"
}

key_prefix "sluice/routes/" {
  policy = "write"
}

key_prefix "sluice/values/" {
  policy = "write"
}

key_prefix "sluice/drain/" {
  policy = "write"
}

key "sluice/hold" {
  policy = "write"
}

key "sluice/freeze" {
  policy = "write"
}
