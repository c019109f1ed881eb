import {
  to = ostraka_peer.node_1
  id = "node-1"
}
