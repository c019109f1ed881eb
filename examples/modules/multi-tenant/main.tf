# Many tenants in one collection. All of them share shards, told apart by an indexed field; those that are large enough
# get shards of their own, by shard keys.

terraform {
  required_version = ">= 1.5"

  required_providers {
    ostraka = { source = "ostraka/ostraka" }
  }
}

locals {
  keyed = length(var.large_tenants) > 0
}

resource "ostraka_collection" "this" {
  name               = var.name
  vectors            = { "" = { size = var.size, distance = var.distance } }
  sharding_method    = local.keyed ? "custom" : "auto"
  replication_factor = var.copies
  write_consistency  = "quorum"

  # Graphs for each tenant, none for all points together: every search is of one tenant.
  hnsw = { m = 0, payload_m = 16 }
}

resource "ostraka_payload_index" "tenant" {
  collection = ostraka_collection.this.name
  field      = var.tenant_field
  keyword    = { is_tenant = true }
}

resource "ostraka_shard_key" "large" {
  for_each = var.large_tenants

  collection    = ostraka_collection.this.name
  key           = each.key
  shards_number = each.value
}

# Where everybody else's points go.
resource "ostraka_shard_key" "others" {
  count = local.keyed ? 1 : 0

  collection    = ostraka_collection.this.name
  key           = "others"
  shards_number = var.shards
}
