# The configuration of the control plane; all *.hcl files in this directory are read. `man sluice-server` and
# /usr/share/doc/sluice/systemd.md say more. Check it with: sluice server -check -config /etc/sluice.d

state_dir = "/var/lib/sluice"

# Documents are files on this machine.
config {
  path = "/etc/sluice/documents"
}

# With several control planes they are in Consul. Instead of the block above:
#
# config { consul_prefix = "sluice/" }
#
# consul "main" {
#   address    = "127.0.0.1:8500"
#   token_file = "/run/credentials/sluice.service/consul-token"
# }

# Envoys on other machines need TLS:
#
# xds {
#   address = "0.0.0.0:8551"
#   tls {
#     cert_file = "/run/credentials/sluice.service/xds.pem"
#     key_file  = "/run/credentials/sluice.service/xds-key.pem"
#     ca_file   = "/etc/sluice/envoys-ca.pem"
#   }
# }
