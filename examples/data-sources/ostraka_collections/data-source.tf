data "ostraka_collections" "production" {
  name_prefix = "prod-"
}

output "production" {
  value = data.ostraka_collections.production.names
}
