# client.image.sample_batch(n=4): four candidates. All are kept; pick chooses.

image "batch" {
  model  = "grok-imagine-image"
  prompt = "A cat in a tree"
  n      = 4
  pick   = 3
  share  = true # with batch_openai.img.hcl
  path   = "batch.jpg"
  alt    = "A cat in a tree"
}
