data "ostraka_cluster" "this" {}

output "peers_that_are_down" {
  value = [for peer in data.ostraka_cluster.this.peers : peer.name if !peer.alive]
}
