# The control plane of sluice: two or three replicas that serve the same, none of which leads.
#
#   nomad job run -var 'datacenters=["dc1"]' -var vault_address=https://vault.service.consul:8200 nomad/jobs/control-plane.nomad.hcl
#
# Before it: nomad/setup/consul.sh and nomad/setup/vault.sh, which let this job, and no other, log in; and, where sluice
# is to find Nomad's services, `nomad acl policy apply -namespace default -job sluice sluice-reader nomad/policies/reader.hcl`.
# docs/nomad-deploy.md tells the whole of it.

variable "job" {
  type        = string
  default     = "sluice"
  description = "ID of the job. Consul and Vault know it by this name: SLUICE_JOB of the set-up."
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

variable "count" {
  type        = number
  default     = 3
  description = "Replicas: 2 or 3. A canary needs one node more."
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

variable "artifact" {
  type        = string
  default     = ""
  description = "URL of an archive with the program, where it is not installed. Pin it: ?checksum=sha256:…"
}

variable "xds_port" {
  type        = number
  default     = 8551
  description = "Static, so that a name is all that the Envoys need to know."
}

variable "xds_names" {
  type        = string
  default     = "sluice-xds.service.consul,localhost"
  description = "Names in the certificate, comma-separated: SLUICE_XDS_NAMES of the set-up."
}

variable "trust_domain" {
  type        = string
  default     = "sluice"
  description = "Of the Envoys' certificates: SLUICE_TRUST_DOMAIN of the set-up."
}

variable "prefix" {
  type        = string
  default     = "sluice/"
  description = "Where the documents are in Consul: SLUICE_CONSUL_PREFIX of the set-up."
}

variable "consul_address" {
  type    = string
  default = "http://127.0.0.1:8500"
}

variable "consul_ca_file" {
  type        = string
  default     = ""
  description = "On the node, where the address is https."
}

variable "consul_method" {
  type        = string
  default     = "sluice"
  description = "The auth method: SLUICE_CONSUL_METHOD of the set-up."
}

variable "consul_audience" {
  type    = string
  default = "consul.io"
}

variable "vault_address" {
  type    = string
  default = "https://vault.service.consul:8200"
}

variable "vault_ca_file" {
  type    = string
  default = ""
}

variable "vault_method" {
  type        = string
  default     = "jwt-nomad"
  description = "Path of the auth method: SLUICE_VAULT_METHOD of the set-up."
}

variable "vault_audience" {
  type    = string
  default = "vault.io"
}

variable "identity_ttl" {
  type        = string
  default     = "1h"
  description = "Life of the identities. Nomad writes new ones in time; sluice logs in again when it does."
}

variable "kv" {
  type        = string
  default     = "secret"
  description = "The key/value engine, version 2, with the token of the API at sluice/api."
}

variable "pki" {
  type    = string
  default = "pki"
}

variable "cert_ttl" {
  type    = string
  default = "24h"
}

variable "memory" {
  type        = number
  default     = 512
  description = "MiB."
}

variable "nomad_discovery" {
  type        = bool
  default     = true
  description = "Whether documents may have nomad blocks. It needs the ACL policy above."
}

job "sluice" {
  id          = var.job
  type        = "service"
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  priority    = 80

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  # The port is static, so each replica has a node of its own anyhow; this says why one that finds none does not start.
  constraint {
    operator = "distinct_hosts"
    value    = "true"
  }

  spread {
    attribute = "${node.datacenter}"
    weight    = 100
  }

  # Nodes with meta { sluice = "control-plane" } are preferred, where there are any.
  affinity {
    attribute = "${meta.sluice}"
    value     = "control-plane"
    weight    = 50
  }

  # One canary has to be ready, which it is when it serves its first complete world. Then the others follow one by one;
  # if one of them does not become ready, all go back. Envoys keep what they have while a replica changes.
  update {
    max_parallel      = 1
    canary            = 1
    health_check      = "checks"
    min_healthy_time  = "15s"
    healthy_deadline  = "5m"
    progress_deadline = "15m"
    auto_revert       = true
    auto_promote      = true
  }

  migrate {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "15s"
    healthy_deadline = "5m"
  }

  group "control-plane" {
    count = var.count

    # The replica is no longer found by name for so long before it is told to stop.
    shutdown_delay = "5s"

    network {
      mode = "host"

      port "xds" {
        static = var.xds_port
      }

      port "api" {}
    }

    # The last good world is on disk. It follows the replica where Nomad can move it; where it cannot, the replica reads
    # everything anew.
    ephemeral_disk {
      size    = 500
      sticky  = true
      migrate = true
    }

    # A replica on a node that has lost its servers goes on serving, and stays when the node is back.
    disconnect {
      lost_after = "1h"
      replace    = true
      reconcile  = "keep_original"
    }

    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "fail"
    }

    reschedule {
      delay          = "5s"
      delay_function = "exponential"
      max_delay      = "1m"
      unlimited      = true
    }

    # sluice-xds.service.consul is where the Envoys connect. Only replicas that are ready are behind it.
    service {
      name     = "sluice-xds"
      provider = "consul"
      port     = "xds"

      check {
        name            = "ready"
        type            = "http"
        protocol        = "https"
        tls_skip_verify = true # the agent asks by the node's address; what it asks for is no secret
        port            = "api"
        path            = "/readyz"
        interval        = "5s"
        timeout         = "3s"
      }
    }

    service {
      name     = "sluice-api"
      provider = "consul"
      port     = "api"

      # A replica that does not even answer here is started anew. One that is only not ready is left alone: it waits for
      # something, and a restart would make it wait from the beginning.
      check {
        name            = "alive"
        type            = "http"
        protocol        = "https"
        tls_skip_verify = true
        path            = "/healthz"
        interval        = "10s"
        timeout         = "5s"

        check_restart {
          limit = 6
          grace = "2m"
        }
      }
    }

    task "server" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "15s" # it lets go of the lock and logs out

      config {
        command = var.sluice
        args    = ["server", "-config", "${NOMAD_TASK_DIR}/agent.hcl"]
      }

      dynamic "artifact" {
        for_each = var.artifact == "" ? [] : [var.artifact]
        content {
          source      = artifact.value
          destination = "local"
        }
      }

      # Identities are files that Nomad replaces in time. Whoever holds one may log in as this job, so none of them is in
      # the environment, and none restarts the task.

      # For Nomad's own API: ${NOMAD_SECRETS_DIR}/nomad_token, for the socket of the task API.
      identity {
        env         = false
        file        = true
        change_mode = "noop"
      }

      # For Consul. With the name consul_default Nomad's client would log in itself before each start, by another method,
      # and no replica could be started while Consul is away. sluice starts from what it has on disk.
      identity {
        name        = "sluice_consul"
        aud         = [var.consul_audience]
        file        = true
        ttl         = var.identity_ttl
        change_mode = "noop"
      }

      # For Vault. Nomad logs in with it as well, to fill in the templates below, and so does sluice, for secrets.
      identity {
        name        = "vault_default"
        aud         = [var.vault_audience]
        file        = true
        ttl         = var.identity_ttl
        change_mode = "noop"
      }

      # Nomad's own token of Vault is for the templates alone: sluice neither sees it nor is it restarted for it.
      vault {
        role         = "sluice-control-plane"
        env          = false
        disable_file = true
        change_mode  = "noop"
      }

      # What Vault gives is written anew when it changes, and read anew when it is needed: at each handshake.
      template {
        destination = "secrets/xds.pem"
        change_mode = "noop"
        data        = <<-EOT
          {{- with pkiCert "${var.pki}/issue/sluice-control-plane" "alt_names=${var.xds_names}" (printf "ip_sans=%s" (env "NOMAD_IP_xds")) "ttl=${var.cert_ttl}" -}}
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

      template {
        destination = "secrets/api-token"
        change_mode = "noop"
        data        = <<-EOT
          {{- with secret "${var.kv}/data/sluice/api" }}{{ .Data.data.token }}{{ end }}
        EOT
      }

      template {
        destination = "local/agent.hcl"
        change_mode = "noop"
        data        = <<-EOT
          state_dir = "{{ env "NOMAD_ALLOC_DIR" }}/data/sluice"
          log_json  = true

          config {
            consul_prefix = "${var.prefix}"
            consul        = "main"
          }

          consul "main" {
            address = "${var.consul_address}"
            ca_file = "${var.consul_ca_file}"

            auth "jwt" {
              method = "${var.consul_method}"
              path   = "{{ env "NOMAD_SECRETS_DIR" }}/nomad_sluice_consul.jwt"
            }
          }

          vault {
            address = "${var.vault_address}"
            ca_file = "${var.vault_ca_file}"

            auth "jwt" {
              mount = "${var.vault_method}"
              role  = "sluice-control-plane"
              path  = "{{ env "NOMAD_SECRETS_DIR" }}/nomad_vault_default.jwt"
            }
          }
          %{~if var.nomad_discovery~}

          nomad "main" {
            address    = "unix://{{ env "NOMAD_SECRETS_DIR" }}/api.sock"
            token_file = "{{ env "NOMAD_SECRETS_DIR" }}/nomad_token"
          }
          %{~endif~}

          xds {
            address = "{{ env "NOMAD_IP_xds" }}:{{ env "NOMAD_PORT_xds" }}"

            tls {
              cert_file    = "{{ env "NOMAD_SECRETS_DIR" }}/xds.pem"
              key_file     = "{{ env "NOMAD_SECRETS_DIR" }}/xds.pem"
              ca_file      = "{{ env "NOMAD_SECRETS_DIR" }}/ca.pem"
              trust_domain = "${var.trust_domain}"
            }
          }

          http {
            address    = "{{ env "NOMAD_IP_api" }}:{{ env "NOMAD_PORT_api" }}"
            token_file = "{{ env "NOMAD_SECRETS_DIR" }}/api-token"

            tls {
              cert_file = "{{ env "NOMAD_SECRETS_DIR" }}/xds.pem"
              key_file  = "{{ env "NOMAD_SECRETS_DIR" }}/xds.pem"
            }
          }
        EOT
      }

      # Enough for some thousand routes and endpoints; docs/performance.md has the figures of more.
      resources {
        cpu    = 500
        memory = var.memory
      }

      logs {
        max_files     = 5
        max_file_size = 10
      }
    }
  }
}
