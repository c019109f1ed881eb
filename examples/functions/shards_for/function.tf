# A billion points, at most 50 million in a shard, spread evenly over three peers: 21.
output "shards" {
  value = provider::ostraka::shards_for(1000000000, 50000000, 3)
}
