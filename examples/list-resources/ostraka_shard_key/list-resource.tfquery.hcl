list "ostraka_shard_key" "all" {
  provider         = ostraka
  include_resource = true

  config {
    collection_prefix = "prod-"
  }
}
