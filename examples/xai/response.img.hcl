# The response format: what the reply told is in the lockfile, and for outputs.

image "response" {
  model  = "grok-imagine-image"
  prompt = "A serene mountain landscape"
  path   = "response.jpg"
  alt    = "A serene mountain landscape"
}

output "revised_prompt" {
  value = image.response.revised_prompt # response.data[0].revised_prompt
}
