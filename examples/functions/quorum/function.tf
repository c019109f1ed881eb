output "a_majority_of_three" {
  value = provider::ostraka::quorum(3) # 2
}
