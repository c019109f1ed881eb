import {
  to = ostraka_collection.docs
  id = "docs"
}
