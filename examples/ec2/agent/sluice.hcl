# The control plane's configuration. What the aws block leaves out comes from where AWS's own tools have it: the
# environment, the shared files, or the role of the machine that sluice runs on.
config { path = "examples/ec2/documents" }

aws "main" {}
