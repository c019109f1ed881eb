# The id of an alias is its name.
terraform import ostraka_alias.articles articles
