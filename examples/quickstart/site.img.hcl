# Pictures for a small site, drawn by the built-in provider: offline, free, no
# key. Try: imgbuild plan, imgbuild apply, imgbuild plan.

imgbuild {
  output_dir = "img"
}

provider "sketch" {}

variable "season" {
  description = "decides the mood of all pictures"
  type        = string
  default     = "autumn"

  validation {
    condition     = contains(["spring", "summer", "autumn", "winter"], var.season)
    error_message = "season must be one of the four seasons, got ${var.season}."
  }
}

locals {
  light = "soft morning light"
}

# A house style: words around every prompt, and defaults for every attribute.
preset "editorial" {
  before       = "Editorial illustration."
  after        = "Muted palette, ${local.light}."
  aspect_ratio = "16:9"
  style        = "natural"
}

image "hero" {
  preset = preset.editorial
  prompt = "A serene mountain landscape with a lake in ${var.season}"
  n      = 3 # candidates; all are kept in the store
  pick   = 2 # the chosen one; changing it is free
  path   = "hero.png"
  alt    = "A lake below snowy mountains"

  rendition "card" {
    width   = 640
    height  = 360
    format  = "jpeg"
    quality = 80
  }
}

# An edit starts from the chosen candidate of another image.
image "hero_night" {
  prompt = "Make it night, keep the shoreline unchanged"
  path   = "hero-night.png"
  alt    = "The same lake at night"

  edit {
    image = image.hero
  }
}

# One image for each key.
image "icon" {
  for_each = {
    docs      = "Bauhaus tiles in blue and gold"
    community = "Low poly forest at sunset"
    blog      = "Mesh gradient in warm coral and violet"
  }

  prompt = each.value
  size   = "512x512"
  style  = "vivid"
  path   = "icon-${each.key}.png"
  alt    = "Icon of ${each.key}"
}

output "hero" {
  description = "path of the picture on the front page"
  value       = image.hero.path
}
