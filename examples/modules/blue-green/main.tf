# Two collections, one of which clients see under a name that never changes. What cannot be changed in place, such as the
# size of vectors, changes without downtime: declare the other colour, fill it, set live to it, and remove the old
# one in a later apply.

terraform {
  required_version = ">= 1.5"

  required_providers {
    ostraka = { source = "ostraka/ostraka" }
  }
}

locals {
  colours = { for colour, spec in { blue = var.blue, green = var.green } : colour => spec if spec != null }
}

resource "ostraka_collection" "this" {
  for_each = local.colours

  name               = "${var.name}-${each.key}"
  vectors            = each.value.vectors
  shard_number       = each.value.shards
  replication_factor = each.value.copies
  write_consistency  = "quorum"
}

resource "ostraka_alias" "live" {
  name       = var.name
  collection = ostraka_collection.this[var.live].name

  lifecycle {
    precondition {
      condition     = contains(keys(local.colours), var.live)
      error_message = "live = \"${var.live}\", but no collection of that colour is declared."
    }
  }
}
