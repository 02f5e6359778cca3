# The control plane's configuration. What the nomad block leaves out comes from NOMAD_ADDR, NOMAD_TOKEN and the like; in
# a task of Nomad, from the task's own API.
config { path = "examples/nomad/documents" }

nomad "main" {}
