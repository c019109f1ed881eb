# A collection that somebody else declares.
resource "ostraka_collection" "theirs" {
  name    = "theirs"
  vectors = { "" = { size = 64, distance = "Dot" } }
}

data "ostraka_collection" "theirs" {
  name       = "theirs"
  depends_on = [ostraka_collection.theirs]
}

# Vectors of the same size as theirs.
resource "ostraka_collection" "copy" {
  name    = "copy"
  vectors = { "" = { size = data.ostraka_collection.theirs.vectors[""].size, distance = "Cosine" } }
}
