# The pictures of an Astro site. src/data/imgbuild.json is a collection of the site (see
# src/content.config.ts), and src/components/Imgbuild.astro shows what is in it.

imgbuild {
  output_dir = "src/assets/img"
  manifest "astro" {
    path = "src/data/imgbuild.json"
  }
}

provider "sketch" {} # offline and free; replace it by provider "xai" {}

image "hero" {
  prompt = "City at night, lights on the water"
  size   = "960x480"
  path   = "hero.jpg"
  alt    = "A city at night, its lights on the water"

  rendition "small" {
    width  = 480
    format = "jpeg"
  }
  rendition "web" {
    format  = "webp"
    quality = 75
  }
}

image "mark" {
  prompt     = "A geometric mark"
  size       = "96x96"
  path       = "mark.png"
  decorative = true
}
