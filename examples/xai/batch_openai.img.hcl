# client.images.generate(n=4) of the OpenAI SDK. It asks for the same as
# batch.img.hcl; as both say share, the four are paid for once.

image "batch_openai" {
  model  = "grok-imagine-image"
  prompt = "A cat in a tree"
  n      = 4
  share  = true
  path   = "batch_openai.jpg"
  alt    = "A cat in a tree"
}
