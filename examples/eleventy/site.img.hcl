# The pictures of an Eleventy site. The plugin in imgbuild.eleventy.cjs copies them and shows
# them by what src/_data/imgbuild.json says of them.

imgbuild {
  output_dir = "src/img"
  manifest "eleventy" {
    path = "src/_data/imgbuild.json"
  }
}

provider "sketch" {} # offline and free; replace it by provider "xai" {}

image "hero" {
  prompt = "Snowy mountains above a forest, morning"
  size   = "960x480"
  path   = "hero.jpg"
  alt    = "Snowy mountains above a forest in the morning"

  rendition "small" {
    width  = 480
    format = "jpeg"
  }
  rendition "web" {
    format  = "webp"
    quality = 75
  }
  rendition "web_small" {
    width   = 480
    format  = "webp"
    quality = 75
  }
}

image "hero_night" {
  prompt  = "Make it night, with stars"
  path    = "hero-night.jpg"
  alt     = "The same mountains at night, under stars"
  caption = "The same place, drawn again"

  edit {
    image = image.hero
  }
}

image "post" {
  for_each = { for f in fileset("src/posts", "*.md") : trimsuffix(f, ".md") => frontmatter("src/posts/${f}") }
  prompt   = each.value.image.prompt
  size     = "640x360"
  path     = "posts/${each.key}.jpg"
  alt      = each.value.image.alt
}
