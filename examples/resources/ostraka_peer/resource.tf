resource "ostraka_peer" "node_1" {
  name   = "node-1"
  zone   = "eu-a"
  labels = { rack = "7" }

  # "remove", the default, drains the peer and removes it from the cluster when the resource is destroyed.
  on_destroy = "forget"
}
