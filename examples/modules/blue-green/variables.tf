variable "name" {
  description = "Name under which clients see the live collection. The collections are called NAME-blue and NAME-green."
  type        = string
}

variable "live" {
  description = "The colour that clients see: blue or green."
  type        = string
  default     = "blue"

  validation {
    condition     = contains(["blue", "green"], var.live)
    error_message = "live is blue or green."
  }
}

variable "blue" {
  description = "The blue collection; null: there is none."
  type = object({
    vectors = map(object({ size = number, distance = string }))
    shards  = optional(number)
    copies  = optional(number, 2)
  })
  default = null
}

variable "green" {
  description = "The green collection; null: there is none."
  type = object({
    vectors = map(object({ size = number, distance = string }))
    shards  = optional(number)
    copies  = optional(number, 2)
  })
  default = null
}
