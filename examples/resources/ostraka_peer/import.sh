# The id of a peer's resource is the node's name.
terraform import ostraka_peer.node_1 node-1
