import {
  to = ostraka_peer.node_1
  identity = {
    name = "node-1"
  }
}
