# Sourced. Finds Terraform or OpenTofu: sets TF to its path, or to "" when there is none.
TF="${TF_ACC_TERRAFORM_PATH:-}"
[ -n "$TF" ] || TF="$(command -v terraform || command -v tofu || true)"
[ -n "$TF" ] || { [ -x bin/tofu ] && TF="$PWD/bin/tofu"; } || true

say_how_to_get_one() {
  cat <<'X'
There is no terraform and no tofu on PATH. Install one of them:
  https://developer.hashicorp.com/terraform/install   https://opentofu.org/docs/intro/install
or build OpenTofu from its Go module (minutes, needs nothing but Go):   make tofu
X
}
