# Two collections on a cluster of three nodes. `make demo` applies this, fills `words` with real word vectors, searches
# them, changes `big_docs` in place and destroys everything again.

terraform {
  required_version = ">= 1.5"

  required_providers {
    ostraka = {
      source = "ostraka/ostraka"
    }
  }
}

variable "endpoints" {
  description = "gRPC addresses of the cluster's nodes. Left out: the environment variable OSTRAKA_ENDPOINTS, a comma-separated list."
  type        = list(string)
  default     = null
}

variable "big_docs_copies" {
  description = "Replicas of each shard of big_docs. Changed in place: the cluster makes or drops copies while it serves."
  type        = number
  default     = 2
}

variable "big_docs_writes" {
  description = "How many replicas of big_docs hold a write before it is acknowledged: weak, quorum or strong. Changed in place."
  type        = string
  default     = "strong"
}

provider "ostraka" {
  endpoints = var.endpoints
}

# The vectors of words-6k.jsonl.gz.
resource "ostraka_collection" "words" {
  name               = "words"
  vectors            = { "" = { size = 100, distance = "Cosine" } }
  shard_number       = 2
  replication_factor = 2
  write_consistency  = "quorum"
  metadata           = { source = "GloVe 6B, 100 dimensions" }
}

# With strong writes, every write is on all replicas of its shard before it is acknowledged.
resource "ostraka_collection" "big_docs" {
  name               = "big_docs"
  vectors            = { vector = { size = 768, distance = "Cosine" } }
  shard_number       = 4
  replication_factor = var.big_docs_copies
  write_consistency  = var.big_docs_writes
}

data "ostraka_cluster" "this" {}

# The names are known before the collections exist, so the dependency has to be said.
data "ostraka_collection_placement" "words" {
  name       = ostraka_collection.words.name
  depends_on = [ostraka_collection.words]
}

data "ostraka_collection_placement" "big_docs" {
  name       = ostraka_collection.big_docs.name
  depends_on = [ostraka_collection.big_docs]
}

output "peers" {
  description = "Who is in the cluster, and where clients find them."
  value       = { for peer in data.ostraka_cluster.this.peers : peer.name => peer.addresses.grpc }
}

output "placement" {
  description = "Which peers hold each shard."
  value = {
    for placement in [data.ostraka_collection_placement.words, data.ostraka_collection_placement.big_docs] :
    placement.name => {
      for shard in placement.shards : "shard ${shard.id}" => join(", ", sort([for replica in shard.replicas : replica.peer_name]))
    }
  }
}

output "warnings" {
  description = "What is not as declared. Empty when all is well."
  value       = concat(data.ostraka_collection_placement.words.warnings, data.ostraka_collection_placement.big_docs.warnings)
}
