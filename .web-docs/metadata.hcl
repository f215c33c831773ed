# SPDX-License-Identifier: MPL-2.0

integration {
  name        = "Chain"
  description = "Builds chains of machine images: finds the parent image, skips unchanged images, publishes what was built."
  identifier  = "packer/packer-chain/chain"
  docs {
    process_docs    = true
    readme_location = "./README.md"
    external_url    = "https://github.com/packer-chain/packer-plugin-chain"
  }
  license {
    type = "MPL-2.0"
    url  = "https://github.com/packer-chain/packer-plugin-chain/blob/main/LICENSE"
  }
  component {
    type = "data-source"
    name = "Chain"
    slug = "chain"
  }
  component {
    type = "data-source"
    name = "Chain Image"
    slug = "image"
  }
  component {
    type = "builder"
    name = "Chain"
    slug = "chain"
  }
  component {
    type = "builder"
    name = "Chain Report"
    slug = "report"
  }
  component {
    type = "post-processor"
    name = "Chain"
    slug = "chain"
  }
  component {
    type = "post-processor"
    name = "Chain Revoke"
    slug = "revoke"
  }
}
