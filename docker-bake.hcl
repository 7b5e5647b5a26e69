# The image for amd64 and arm64: docker buildx bake --push
# Its names, and what its labels say, come from the environment: docs/operations.md has an example.
variable "IMAGE" {
  default = "landfall"
}
variable "VERSION" {
  default = ""
}
variable "REVISION" {
  default = ""
}
# RFC 3339.
variable "CREATED" {
  default = ""
}
# The URL of the repository.
variable "SOURCE" {
  default = ""
}
variable "NODE_IMAGE" {
  default = "node:24-bookworm-slim"
}

group "default" {
  targets = ["image"]
}

target "image" {
  context   = "."
  platforms = ["linux/amd64", "linux/arm64"]
  tags = VERSION == "" ? ["${IMAGE}:latest"] : [
    "${IMAGE}:latest",
    "${IMAGE}:${VERSION}",
    "${IMAGE}:${join(".", slice(split(".", VERSION), 0, 2))}",
  ]
  args = {
    NODE_IMAGE = NODE_IMAGE
    VERSION    = VERSION
    REVISION   = REVISION
  }
  labels = {
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.source"  = SOURCE
  }
  attest = ["type=provenance,mode=max", "type=sbom"]
}
