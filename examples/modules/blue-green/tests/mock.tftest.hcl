# Needs no cluster.
mock_provider "ostraka" {}

variables {
  name = "articles"
  blue = { vectors = { "" = { size = 4, distance = "Cosine" } } }
}

run "blue_alone" {
  assert {
    condition     = ostraka_alias.live.collection == "articles-blue" && output.fill == null
    error_message = "blue is not live"
  }
}

run "green_is_filled" {
  variables {
    green = { vectors = { "" = { size = 8, distance = "Cosine" } } }
  }

  assert {
    condition     = ostraka_alias.live.collection == "articles-blue" && output.fill == "articles-green"
    error_message = "green is not the one to fill"
  }
}
