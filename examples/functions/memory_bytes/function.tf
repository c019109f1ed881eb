# Ten million vectors in two replicas: about how many GiB of memory?
output "gib" {
  value = ceil(provider::ostraka::memory_bytes({ points = 10000000, size = 768, quantization = "scalar", replicas = 2 }) / 1073741824)
}
