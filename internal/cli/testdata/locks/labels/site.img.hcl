# What imgbuild 0.1 wrote. A later one must plan nothing for it; see
# TestLocks. New formats get a folder of their own, this one stays as it is.

variable "endpoint" {
  default = "https://api.x.ai/v1"
}

imgbuild {
  output_dir       = "static"
  default_provider = provider.xai
}

provider "xai" {
  endpoint = var.endpoint
}

provider "xai" {
  alias    = "page"
  endpoint = var.endpoint
  wire     = "documented"
}

provider "sketch" {}

preset "house" {
  before = "Editorial photograph."
  after  = "Muted palette."
}

image "hero" {
  preset = preset.house
  prompt = "A lake below mountains"
  path   = "hero.jpg"
  n      = 2
  pick   = 2

  rendition "card" {
    width   = 64
    height  = 36
    fit     = "cover"
    quality = 70
  }
}

image "night" {
  prompt = "Make it night"
  path   = "night.jpg"

  edit {
    image = image.hero

    mask {
      file = "mask.png"
      edit = "white"
    }
  }
}

image "square" {
  model   = "grok-imagine-image-2.0"
  prompt  = "A square"
  size    = "200x100"
  quality = "medium"
  path    = "square.jpg"
  reroll  = 2
}

image "page" {
  provider = provider.xai.page
  prompt   = "A page"
  size     = "1792x1024"
  style    = "vivid"
  path     = "page.jpg"

  file {
    format  = "jpeg"
    quality = 60
  }
}

image "styled" {
  prompt = "In words"
  style  = "natural"
  path   = "styled.jpg"
  share  = true
}

image "post" {
  for_each = { "a \"b\"" = "A field", "é" = "A forest" }
  provider = provider.sketch
  prompt   = each.value
  size     = "64x64"
  path     = "posts/${each.key == "é" ? "e" : "ab"}.png"
}

image "made" {
  provider     = provider.sketch
  prompt       = "Both of them"
  aspect_ratio = "16:9"
  path         = "made.jpg"

  edit {
    images = [image.styled, image.hero]
  }
}
