# The id of a shard key is COLLECTION/KEY. A key of digits alone is a number.
terraform import ostraka_shard_key.eu customers/eu
