import {
  to = ostraka_payload_index.tenant
  id = "shop/tenant"
}
