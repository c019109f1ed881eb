resource "ostraka_collection" "events" {
  name               = "events"
  vectors            = { "" = { size = 64, distance = "Dot" } }
  replication_factor = 2
}

data "ostraka_collection_placement" "events" {
  name       = ostraka_collection.events.name
  depends_on = [ostraka_collection.events] # the name is known before the collection exists
}

check "events_are_replicated" {
  assert {
    condition     = length(data.ostraka_collection_placement.events.under_replicated) == 0
    error_message = "Shards with missing replicas: ${join("; ", data.ostraka_collection_placement.events.warnings)}"
  }
}
