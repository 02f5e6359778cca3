# What a team that shares an edge needs: to write its own documents and values, and to read what became of them. A team
# block says what these documents may claim. Change "team-orders" to the team's own folder.

key_prefix "sluice/routes/team-orders/" {
  policy = "write"
}

key_prefix "sluice/values/team-orders/" {
  policy = "write"
}

key_prefix "sluice/status/team-orders/" {
  policy = "read"
}

key_prefix "sluice/status/values/team-orders/" {
  policy = "read"
}
