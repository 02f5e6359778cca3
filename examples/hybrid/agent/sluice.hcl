# The control plane's configuration. Where each platform is, and who asks, comes from the environment, as for its own
# tools: CONSUL_HTTP_ADDR, NOMAD_ADDR, GOVC_URL with GOVC_USERNAME and GOVC_PASSWORD, AWS_ACCESS_KEY_ID and its kin.
config { consul_prefix = "sluice/" }

consul "main" {}

nomad "main" {}

vsphere "main" {}

aws "main" { region = "us-east-1" }
