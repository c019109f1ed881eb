# Needs no cluster.
mock_provider "ostraka" {}

variables {
  name = "customers"
  size = 4
}

run "without_large_tenants_there_are_no_keys" {
  assert {
    condition     = ostraka_collection.this.sharding_method == "auto" && length(output.shard_keys) == 0
    error_message = "keys without large tenants"
  }

  assert {
    condition     = ostraka_payload_index.tenant.keyword.is_tenant
    error_message = "the field is not indexed for tenants"
  }
}

run "large_tenants_have_keys" {
  variables {
    large_tenants = { acme = 2 }
  }

  assert {
    condition     = ostraka_collection.this.sharding_method == "custom" && ostraka_shard_key.large["acme"].shards_number == 2
    error_message = "acme has no shards of its own"
  }

  assert {
    condition     = output.shard_keys == { acme = "acme", others = "others" }
    error_message = "the keys are not those of acme and all others"
  }
}
