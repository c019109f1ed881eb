# Needs no cluster.
mock_provider "ostraka" {
  mock_resource "ostraka_collection" {
    defaults = { write_consistency_factor = 2 }
  }
}

variables {
  name    = "articles"
  vectors = { "" = { size = 4, distance = "Cosine" } }
  indexes = { tenant = "keyword", price = "float" }
}

run "indexes_are_of_their_kind" {
  assert {
    condition     = ostraka_payload_index.this["tenant"].keyword != null && ostraka_payload_index.this["tenant"].float == null
    error_message = "tenant is not a keyword index"
  }

  assert {
    condition     = ostraka_payload_index.this["price"].float != null
    error_message = "price is not a float index"
  }

  assert {
    condition     = output.writable_with_failed == 1
    error_message = "of three copies with two for a write, one may fail"
  }
}

run "one_copy_is_refused" {
  command = plan

  variables {
    copies = 1
  }

  expect_failures = [var.copies]
}
