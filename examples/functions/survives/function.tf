# Three replicas, two of which hold a write before it is acknowledged: one may fail and writes go on.
output "peers_that_may_fail" {
  value = provider::ostraka::survives(3, 2)
}
