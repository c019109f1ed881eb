# Needs a cluster: OSTRAKA_ENDPOINTS.
variables {
  name = "test-articles"
  blue = { vectors = { "" = { size = 4, distance = "Cosine" } }, shards = 1 }
}

run "blue" {
  assert {
    condition     = ostraka_alias.live.collection == "test-articles-blue"
    error_message = "blue is not live"
  }
}

run "both" {
  variables {
    green = { vectors = { "" = { size = 8, distance = "Cosine" } }, shards = 1 }
  }

  assert {
    condition     = output.fill == "test-articles-green"
    error_message = "green is not there"
  }
}

run "swap" {
  variables {
    green = { vectors = { "" = { size = 8, distance = "Cosine" } }, shards = 1 }
    live  = "green"
  }

  assert {
    condition     = ostraka_alias.live.collection == "test-articles-green" && output.fill == "test-articles-blue"
    error_message = "green is not live"
  }
}

run "green_alone" {
  variables {
    blue  = null
    green = { vectors = { "" = { size = 8, distance = "Cosine" } }, shards = 1 }
    live  = "green"
  }

  assert {
    condition     = ostraka_alias.live.collection == "test-articles-green" && length(ostraka_collection.this) == 1
    error_message = "blue is still there"
  }
}
