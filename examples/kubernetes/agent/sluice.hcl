# The control plane's configuration. What the kubernetes block leaves out comes from where kubectl has it: KUBECONFIG,
# the service account of the pod that sluice runs in, or ~/.kube/config.
config { path = "examples/kubernetes/documents" }

kubernetes "main" {}
