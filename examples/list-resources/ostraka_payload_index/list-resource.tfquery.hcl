list "ostraka_payload_index" "all" {
  provider         = ostraka
  include_resource = true

  config {
    collection_prefix = "prod-"
  }
}
