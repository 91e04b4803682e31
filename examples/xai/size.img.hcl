# The three sizes of the page and what they are best for.

image "size" {
  for_each = {
    "1024x1024" = "A friendly robot avatar, flat vector art, soft lighting"
    "1792x1024" = "A banner of rolling hills at golden hour, wide angle"
    "1024x1792" = "A mobile wallpaper of a starry night over dunes"
  }

  prompt = each.value
  size   = each.key
  path   = "size-${each.key}.png"
  alt    = each.value # imgbuild:ignore IB4003 this example is about prompts
}
