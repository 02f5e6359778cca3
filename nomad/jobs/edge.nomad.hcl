# The Envoys of a gateway: one on each node of a pool, in the network of the node, without any sidecar. sluice runs the
# Envoy as its child, joins it to the control plane, and drains it when Nomad stops it.
#
#   nomad job run -var 'datacenters=["dc1"]' -var gateway=edge nomad/jobs/edge.nomad.hcl
#
# Before it: nomad/setup/vault.sh, which lets this job, and no other, have certificates that name the gateway. The Envoy
# needs neither Consul nor an identity for it. docs/nomad-deploy.md tells the whole of it.

variable "job" {
  type        = string
  default     = "sluice-edge"
  description = "ID of the job. Vault knows it by this name: SLUICE_EDGE_JOB of the set-up."
}

variable "namespace" {
  type    = string
  default = "default"
}

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

variable "node_pool" {
  type    = string
  default = "default"
}

variable "gateway" {
  type        = string
  default     = "edge"
  description = "The gateway block that the Envoys serve: SLUICE_GATEWAY of the set-up."
}

variable "driver" {
  type        = string
  default     = "exec"
  description = "exec, or raw_exec where a client has no cgroups."
}

variable "sluice" {
  type        = string
  default     = "/usr/bin/sluice"
  description = "The program: of the package that is installed on the nodes, or local/sluice with an artifact."
}

variable "envoy" {
  type        = string
  default     = ""
  description = "The Envoy: a path, or empty to look for it in PATH. local/envoy with an artifact."
}

variable "artifacts" {
  type        = list(string)
  default     = []
  description = "URLs of archives with the programs, where they are not installed. Pin them: ?checksum=sha256:…"
}

variable "http_port" {
  type        = number
  default     = 80
  description = "Of a listener of the gateway."
}

variable "https_port" {
  type        = number
  default     = 443
  description = "Of a listener of the gateway."
}

variable "ready_port" {
  type        = number
  default     = 8552
  description = "Where Envoy says whether it takes traffic, and shows its metrics."
}

variable "xds" {
  type        = list(string)
  default     = ["sluice-xds.service.consul:8551"]
  description = "Where the control planes are: a name that stays, since an Envoy reads it once."
}

variable "xds_server_name" {
  type        = string
  default     = "sluice-xds.service.consul"
  description = "Name that the control planes' certificates have."
}

variable "trust_domain" {
  type        = string
  default     = "sluice"
  description = "SLUICE_TRUST_DOMAIN of the set-up."
}

variable "vault_audience" {
  type    = string
  default = "vault.io"
}

variable "identity_ttl" {
  type    = string
  default = "1h"
}

variable "pki" {
  type    = string
  default = "pki"
}

variable "cert_ttl" {
  type    = string
  default = "24h"
}

variable "drain_time" {
  type        = string
  default     = "20s"
  description = "How long requests may take to end when an Envoy is stopped."
}

variable "kill_timeout" {
  type        = string
  default     = "28s"
  description = "More than drain_time. A client allows 30s at most, unless its max_kill_timeout says otherwise."
}

variable "shutdown_delay" {
  type        = string
  default     = "5s"
  description = "Between the end of the registration and the signal: as long as a load balancer takes to notice."
}

variable "memory" {
  type        = number
  default     = 1024
  description = "MiB. The Envoy sheds load when three quarters of them are in use."
}

job "sluice-edge" {
  id          = var.job
  type        = "system"
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  priority    = 90

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  # One node after another; each drains before it changes.
  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "10s"
    healthy_deadline = "3m"
  }

  group "edge" {
    # The node is no longer found for so long before its Envoy is told to stop.
    shutdown_delay = var.shutdown_delay

    network {
      mode = "host"

      port "http" {
        static = var.http_port
      }

      port "https" {
        static = var.https_port
      }

      port "ready" {
        static = var.ready_port
      }

      port "admin" {}
    }

    # It has to be there, always: there is no last attempt.
    restart {
      attempts = 10
      interval = "2m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name     = "sluice-${var.gateway}"
      provider = "consul"
      port     = "http"

      # Critical before the Envoy has its first configuration, and from the beginning of its drain.
      check {
        name     = "ready"
        type     = "http"
        port     = "ready"
        path     = "/ready"
        interval = "2s"
        timeout  = "2s"
      }
    }

    task "envoy" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = var.kill_timeout

      config {
        command = var.sluice
        args = [
          "envoy", "run",
          "-gateway", var.gateway,
          "-node-id", "${NOMAD_ALLOC_ID}",
          "-region", "${node.region}",
          "-zone", "${node.datacenter}",
          "-xds", join(",", var.xds),
          "-xds-server-name", var.xds_server_name,
          "-ca-file", "${NOMAD_SECRETS_DIR}/ca.pem",
          "-cert-file", "${NOMAD_SECRETS_DIR}/envoy.pem",
          "-key-file", "${NOMAD_SECRETS_DIR}/envoy.pem",
          "-admin", "127.0.0.1:${NOMAD_PORT_admin}",
          "-ready", "${NOMAD_IP_ready}:${NOMAD_PORT_ready}",
          "-drain-time", var.drain_time,
          "-max-heap", format("%d", floor(var.memory * 0.75) * 1048576),
          "-log-json",
        ]
      }

      env {
        ENVOY_PATH = var.envoy
      }

      dynamic "artifact" {
        for_each = var.artifacts
        content {
          source      = artifact.value
          destination = "local"
        }
      }

      # For Vault alone, for the templates below. The Envoy itself logs in nowhere.
      identity {
        name        = "vault_default"
        aud         = [var.vault_audience]
        ttl         = var.identity_ttl
        change_mode = "noop"
      }

      # noop: a new token, or a new certificate, is no reason to restart an Envoy that serves.
      vault {
        role         = "sluice-gateway-${var.gateway}"
        env          = false
        disable_file = true
        change_mode  = "noop"
      }

      # Certificate and key are one file, so that they change together. Envoy takes them when the file is replaced.
      template {
        destination = "secrets/envoy.pem"
        change_mode = "noop"
        data        = <<-EOT
          {{- with pkiCert "${var.pki}/issue/sluice-gateway-${var.gateway}" "uri_sans=spiffe://${var.trust_domain}/gateway/${var.gateway}" "ttl=${var.cert_ttl}" -}}
          {{ .Cert }}
          {{ .Key }}
          {{- end }}
        EOT
      }

      template {
        destination = "secrets/ca.pem"
        change_mode = "noop"
        data        = <<-EOT
          {{- with secret "${var.pki}/cert/ca" }}{{ .Data.certificate }}{{ end }}
        EOT
      }

      resources {
        cpu    = 1000
        memory = var.memory
      }

      logs {
        max_files     = 5
        max_file_size = 10
      }
    }
  }
}
