# terraform query -generate-config-out=found.tf   writes configuration that adopts what is found.
list "ostraka_collection" "all" {
  provider         = ostraka
  include_resource = true

  config {
    name_prefix = "prod-"
  }
}
