# terraform apply -invoke=action.ostraka_rebalance.all
action "ostraka_rebalance" "all" {
  config {}
}
