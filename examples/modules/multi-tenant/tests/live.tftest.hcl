# Needs a cluster: OSTRAKA_ENDPOINTS.
variables {
  name = "test-customers"
  size = 4
}

run "create" {
  assert {
    condition     = ostraka_payload_index.tenant.field == "tenant" && ostraka_collection.this.hnsw.payload_m == 16
    error_message = "not as declared"
  }
}
