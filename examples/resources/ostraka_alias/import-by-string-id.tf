import {
  to = ostraka_alias.articles
  id = "articles"
}
