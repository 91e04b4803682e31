# client.image.sample(aspect_ratio="4:3")

image "aspect_ratio" {
  model        = "grok-imagine-image"
  prompt       = "A cat in a tree"
  aspect_ratio = "4:3"
  path         = "aspect_ratio.jpg"
  alt          = "A cat in a tree"
}

# All seven of the page.
image "frame" {
  for_each = toset(["1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3"])

  prompt       = "A red fox on a frozen lake at dusk, wide angle"
  aspect_ratio = each.key
  path         = "frame-${replace(each.key, ":", "x")}.jpg"
  alt          = "A fox on a frozen lake"
}
