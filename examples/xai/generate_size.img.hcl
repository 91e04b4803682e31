# client.images.generate(n=1, size="1024x1024") of the OpenAI SDK. Where the
# service takes no size, the cheapest frame that covers it is bought and cut.

image "generate_size" {
  model  = "grok-imagine-image"
  prompt = "A futuristic city with flying cars at sunset"
  n      = 1
  size   = "1024x1024"
  path   = "generate_size.png"
  alt    = "A futuristic city at sunset"
}
