import {
  to = ostraka_alias.articles
  identity = {
    name = "articles"
  }
}
