# A cover for every Markdown post, described in its front matter. Add a post and
# only its picture is made; change its image_prompt and only that one is made
# again.

imgbuild {
  output_dir = "static/covers"
}

provider "sketch" {}

locals {
  posts = { for f in fileset("content/posts", "*.md") : trimsuffix(f, ".md") => frontmatter("content/posts/${f}") }
}

preset "cover" {
  after        = "Flat illustration, calm palette."
  aspect_ratio = "16:9"
  style        = "natural"
}

image "cover" {
  for_each = local.posts
  preset   = preset.cover
  prompt   = each.value.image_prompt
  path     = "${each.key}.jpg"
  alt      = each.value.image_alt

  file {
    quality = 82
  }

  rendition "thumb" {
    width   = 480
    format  = "jpeg"
    quality = 78
  }
}

output "covers" {
  description = "picture of each post, for the templates of the site"
  value       = { for name, post in local.posts : name => { title = post.title, src = image.cover[name].path } }
}
