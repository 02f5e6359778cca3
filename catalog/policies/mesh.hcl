# What a replica needs beside reader.hcl where upstreams say connect = true: to be a service in the mesh, which is what
# intentions name. Change "sluice" where connect_service is another.

service "sluice" {
  policy = "write"
}
