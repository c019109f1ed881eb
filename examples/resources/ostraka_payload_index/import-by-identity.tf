import {
  to = ostraka_payload_index.tenant
  identity = {
    collection = "shop"
    field      = "tenant"
  }
}
