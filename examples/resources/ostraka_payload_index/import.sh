# The id of an index is COLLECTION/FIELD.
terraform import ostraka_payload_index.tenant shop/tenant
