# Needs a cluster of three nodes: OSTRAKA_ENDPOINTS.
variables {
  name                = "test-articles"
  vectors             = { text = { size = 4, distance = "Cosine" } }
  shards              = 2
  copies              = 2
  indexes             = { tenant = "keyword" }
  deletion_protection = false
}

run "create" {
  assert {
    condition     = length(data.ostraka_collection_placement.this.under_replicated) == 0 && length(data.ostraka_collection_placement.this.shards) == 2
    error_message = "the copies are not there"
  }
}

run "a_third_copy_in_place" {
  variables {
    copies = 3
  }

  assert {
    condition     = ostraka_collection.this.write_consistency_factor == 2 && length(data.ostraka_collection_placement.this.under_replicated) == 0
    error_message = "the third copies are not there"
  }
}
