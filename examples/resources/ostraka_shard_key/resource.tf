resource "ostraka_collection" "customers" {
  name               = "customers"
  vectors            = { "" = { size = 384, distance = "Cosine" } }
  sharding_method    = "custom"
  replication_factor = 2
}

# A region of its own: its points live on its own shards.
resource "ostraka_shard_key" "eu" {
  collection    = ostraka_collection.customers.name
  key           = "eu"
  shards_number = 2
}

# A number is a key, too.
resource "ostraka_shard_key" "tenant_7" {
  collection = ostraka_collection.customers.name
  key_number = 7
}
