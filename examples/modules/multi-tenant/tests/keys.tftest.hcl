# Needs a cluster whose nodes have shard keys: OSTRAKA_ENDPOINTS.
variables {
  name          = "test-customers"
  size          = 4
  large_tenants = { acme = 2 }
}

run "create" {
  assert {
    condition     = ostraka_shard_key.large["acme"].shards_number == 2 && ostraka_shard_key.others[0].shards_number == 1
    error_message = "not as declared"
  }
}

run "one_more_large_tenant" {
  variables {
    large_tenants = { acme = 2, globex = 1 }
  }

  assert {
    condition     = length(ostraka_shard_key.large) == 2
    error_message = "globex has no key"
  }
}
