output "name" {
  description = "Name that clients use."
  value       = ostraka_alias.live.name
}

output "fill" {
  description = "Name of the collection that clients do not see, to be filled; null when there is none."
  value       = one([for colour, collection in ostraka_collection.this : collection.name if colour != var.live])
}
