import {
  to = ostraka_collection.docs
  identity = {
    name = "docs"
  }
}
