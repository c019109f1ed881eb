# terraform apply -invoke=action.ostraka_drain.node_3
action "ostraka_drain" "node_3" {
  config {
    peer    = "node-3"
    timeout = "1h"
  }
}
