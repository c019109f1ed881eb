terraform {
  required_providers {
    ostraka = {
      source = "ostraka/ostraka"
    }
  }
}

provider "ostraka" {
  # Any nodes of one cluster, the preferred one first. Left out: OSTRAKA_ENDPOINTS.
  endpoints = ["127.0.0.1:6334", "127.0.0.1:6344", "127.0.0.1:6354"]
}
