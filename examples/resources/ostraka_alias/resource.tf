resource "ostraka_collection" "articles_v1" {
  name    = "articles-v1"
  vectors = { "" = { size = 384, distance = "Cosine" } }
}

# Clients use the collection "articles", whatever its version.
resource "ostraka_alias" "articles" {
  name       = "articles"
  collection = ostraka_collection.articles_v1.name
}
