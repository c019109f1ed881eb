variable "name" {
  description = "Name of the collection."
  type        = string
}

variable "size" {
  description = "Number of components of a vector."
  type        = number
}

variable "distance" {
  description = "How two vectors are compared."
  type        = string
  default     = "Cosine"
}

variable "copies" {
  description = "Number of replicas of each shard."
  type        = number
  default     = 2
}

variable "tenant_field" {
  description = "Payload field that names the tenant of a point."
  type        = string
  default     = "tenant"
}

variable "large_tenants" {
  description = "Tenants with shards of their own, and how many. Once there is one, every write says to which key its points go: the tenant's or \"others\"."
  type        = map(number)
  default     = {}

  validation {
    condition     = !contains(keys(var.large_tenants), "others")
    error_message = "\"others\" is the key of all tenants that are not large."
  }
}

variable "shards" {
  description = "Number of shards of the tenants that are not large, when there are large ones."
  type        = number
  default     = 1
}
