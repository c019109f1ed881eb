resource "ostraka_collection" "shop" {
  name    = "shop"
  vectors = { "" = { size = 384, distance = "Cosine" } }
}

# Nearly every request filters by one tenant: one of many points has a graph of its own.
resource "ostraka_payload_index" "tenant" {
  collection = ostraka_collection.shop.name
  field      = "tenant"
  keyword    = { is_tenant = true }
}

resource "ostraka_payload_index" "price" {
  collection = ostraka_collection.shop.name
  field      = "price"
  float      = {}
}
