upstream "a" {
  static { endpoints = ["10.0.0.1:80"] }
  outlier { consecutive_5xx = 0 } # ERROR: Empty outlier
}

upstream "b" {
  static { endpoints = ["10.0.0.1:80"] }
  outlier { ejection = "1h" } # ERROR: Invalid ejection
}

upstream "c" {
  static { endpoints = ["10.0.0.1:80"] }
  outlier {
    success_rate { deviations = 0 } # ERROR: Invalid value
  }
}
