output "name" {
  description = "Name of the collection."
  value       = ostraka_collection.this.name
}

output "shard_keys" {
  description = "The shard keys, by tenant; empty without large tenants."
  value       = merge({ for tenant, key in ostraka_shard_key.large : tenant => key.key }, local.keyed ? { others = "others" } : {})
}
