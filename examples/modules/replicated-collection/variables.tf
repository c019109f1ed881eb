variable "name" {
  description = "Name of the collection."
  type        = string
}

variable "vectors" {
  description = "Vectors by name; \"\" is the unnamed one."
  type = map(object({
    size     = number
    distance = string
    on_disk  = optional(bool, false)
  }))
}

variable "shards" {
  description = "Number of shards; null: one per peer."
  type        = number
  default     = null
}

variable "copies" {
  description = "Number of replicas of each shard, each on another peer."
  type        = number
  default     = 3

  validation {
    condition     = var.copies >= 2
    error_message = "With one copy a lost node loses its points. Use at least 2."
  }
}

variable "writes" {
  description = "How many copies hold a write before it is acknowledged: weak, quorum or strong."
  type        = string
  default     = "quorum"
}

variable "indexes" {
  description = "Payload indexes: the kind by the field."
  type        = map(string)
  default     = {}
}

variable "metadata" {
  description = "Free text about the collection."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Refuse plans that would delete the points."
  type        = bool
  default     = true
}
