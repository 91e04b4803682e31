# client.image.sample(image_format="base64"): the picture comes inside the reply.

image "base64" {
  provider = provider.xai.base64
  model    = "grok-imagine-image"
  prompt   = "A cat in a tree"
  path     = "base64.jpg"
  alt      = "A cat in a tree"
}
