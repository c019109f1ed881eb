list "ostraka_peer" "all" {
  provider         = ostraka
  include_resource = true
}
