# House styles, a module and JSON: many pictures in few words. Offline and free;
# try: imgbuild plan, imgbuild apply, imgbuild output.

imgbuild {
  output_dir = "img"
}

provider "sketch" {}

variable "seasons" {
  description = "one banner for each"
  type        = map(object({ mood = string, night = optional(bool, false) }))
  default = {
    spring = { mood = "first green" }
    winter = { mood = "deep snow", night = true }
  }
}

function "scene" {
  params = [what, mood, night]
  result = "${what}, ${mood}, %{if night}under the stars%{else}in daylight%{endif}"
}

# A style for everything, and two that build on it: words go round words.
preset "house" {
  before = "Flat vector illustration."
  after  = "Three colours, no text."
}

preset "banner" {
  preset       = preset.house
  after        = "Room for a title on the left."
  aspect_ratio = "16:9"
}

preset "icon" {
  preset = preset.house
  size   = "256x256"
}

image "banner" {
  for_each = var.seasons
  preset   = preset.banner
  prompt   = scene("a valley in ${each.key}", each.value.mood, each.value.night)
  alt      = "A valley in ${each.key}"

  dynamic "rendition" {
    for_each = { small = 480, large = 1024 }
    labels   = [rendition.key]
    content {
      width  = rendition.value
      format = "jpeg"
    }
  }
}

# One instance of the module for each product; icons.img.json is another caller.
module "icons" {
  source   = "./modules/icons"
  for_each = { atlas = "a folded map", beacon = "a lighthouse" }
  subject  = each.value
  style    = preset.icon
}

output "icons" {
  description = "the icon of each product"
  value       = { for product, icons in module.icons : product => icons.light.path }
}

# What was one image is two in a module now; its picture moves there for free.
moved {
  from = image.atlas
  to   = module.icons["atlas"].image.light
}
