# The id of a collection is its name.
terraform import ostraka_collection.docs docs
