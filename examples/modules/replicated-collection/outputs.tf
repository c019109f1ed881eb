output "name" {
  description = "Name of the collection."
  value       = ostraka_collection.this.name
}

output "writable_with_failed" {
  description = "How many peers of a shard may fail while writes go on."
  value = ostraka_collection.this.write_consistency_factor <= 1 ? ostraka_collection.this.replication_factor - 1 : min(
    ostraka_collection.this.replication_factor - ostraka_collection.this.write_consistency_factor,
    ostraka_collection.this.write_consistency_factor - 1,
  )
}
