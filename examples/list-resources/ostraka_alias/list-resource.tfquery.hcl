list "ostraka_alias" "all" {
  provider         = ostraka
  include_resource = true
}
