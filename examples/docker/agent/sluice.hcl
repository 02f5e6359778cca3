# The control plane's configuration. What the docker block leaves out comes from the DOCKER_* environment.
config { path = "examples/docker/documents" }

docker "local" {}
