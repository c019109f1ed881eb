import {
  to = ostraka_shard_key.eu
  identity = {
    collection = "customers"
    key        = "eu"
  }
}
