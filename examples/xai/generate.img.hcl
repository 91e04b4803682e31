# client.image.sample(image_format="url"): the reply is a URL, which imgbuild
# downloads at once.

image "generate" {
  model  = "grok-imagine-image"
  prompt = "A cat in a tree"
  path   = "generate.jpg"
  alt    = "A cat in a tree"
}

output "generate" {
  value = image.generate.path # print(response.url)
}
