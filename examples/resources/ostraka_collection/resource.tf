resource "ostraka_collection" "docs" {
  name = "docs"

  # Vectors by name. The name "" is the unnamed vector, which clients use when they name none.
  vectors = {
    text  = { size = 768, distance = "Cosine" }
    image = { size = 512, distance = "Dot", on_disk = true, hnsw = { m = 32 } }
  }

  shard_number       = 4
  replication_factor = 2

  # weak, quorum or strong: follows replication_factor.
  write_consistency = "quorum"

  metadata = {
    owner = "search"
    tier  = "gold"
  }

  # Requests beyond a limit are refused as a whole, with the limit and what to do.
  strict_mode = {
    max_query_limit = 1000
    max_timeout     = 60
  }

  deletion_protection = false
}
