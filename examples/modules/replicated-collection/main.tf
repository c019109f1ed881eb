# A collection that outlives the loss of a node, its payload indexes, and a check that the copies are really there.

terraform {
  required_version = ">= 1.5"

  required_providers {
    ostraka = { source = "ostraka/ostraka" }
  }
}

resource "ostraka_collection" "this" {
  name               = var.name
  vectors            = var.vectors
  shard_number       = var.shards
  replication_factor = var.copies
  write_consistency  = var.writes
  metadata           = var.metadata

  deletion_protection = var.deletion_protection
}

resource "ostraka_payload_index" "this" {
  for_each = var.indexes

  collection = ostraka_collection.this.name
  field      = each.key
  keyword    = each.value == "keyword" ? {} : null
  integer    = each.value == "integer" ? {} : null
  float      = each.value == "float" ? {} : null
  bool       = each.value == "bool" ? {} : null
  datetime   = each.value == "datetime" ? {} : null
  text       = each.value == "text" ? {} : null
  uuid       = each.value == "uuid" ? {} : null
  geo        = each.value == "geo" ? {} : null
}

data "ostraka_collection_placement" "this" {
  name       = ostraka_collection.this.name
  depends_on = [ostraka_collection.this]
}

check "copies_are_there" {
  assert {
    condition     = length(data.ostraka_collection_placement.this.under_replicated) == 0
    error_message = "Shards with missing copies: ${join("; ", data.ostraka_collection_placement.this.warnings)}"
  }
}
