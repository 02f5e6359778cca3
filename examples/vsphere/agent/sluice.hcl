# The control plane's configuration. The password is in a file, which is read at each login.
config { path = "examples/vsphere/documents" }

vsphere "main" {
  address       = "vcenter.example.com"
  username      = "sluice@vsphere.local"
  password_file = "/etc/sluice/vcenter-password"
}
