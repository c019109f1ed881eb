import {
  to = ostraka_shard_key.eu
  id = "customers/eu"
}
