# The pictures of a Hugo site. They lie below assets/, and layouts/partials/imgbuild.html
# shows them by what data/imgbuild.json says of them.

imgbuild {
  output_dir = "assets/img"
  manifest "hugo" {
    path = "data/imgbuild.json"
  }
}

provider "sketch" {} # offline and free; replace it by provider "xai" {}

image "hero" {
  prompt = "A calm sea at sunrise, an island and a small sailing boat"
  size   = "960x480"
  path   = "hero.jpg"
  alt    = "A small boat sails past an island at sunrise"

  placeholder = true
  responsive {
    widths  = [480, 960]
    formats = ["webp", "jpeg"]
    sizes   = "(min-width: 60em) 58em, 100vw"
    quality = 75
  }
  social { # layouts/partials/head.html asks for it, and for the icons: else Hugo would not publish them
    title = "The lighthouse"
  }
}

image "logo" {
  prompt     = "A mark of few shapes, minimal and flat, two colours"
  size       = "512x512"
  path       = "logo.png"
  decorative = true

  icon {
    path = "favicon"
  }
}

image "wave" {
  prompt     = "A quiet pattern of waves"
  size       = "640x64"
  path       = "wave.png"
  decorative = true
}

image "post" {
  for_each = { for f in fileset("content/posts", "*.md") : trimsuffix(f, ".md") => frontmatter("content/posts/${f}") }
  prompt   = each.value.image.prompt
  size     = "640x360"
  path     = "posts/${each.key}.jpg"
  alt      = each.value.image.alt
  caption  = each.value.title

  rendition "card" {
    width   = 240
    height  = 240
    format  = "jpeg"
    gravity = "attention"
  }
}
