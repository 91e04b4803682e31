# curl https://api.x.ai/v1/images/generations

image "curl" {
  model  = "grok-imagine-image"
  prompt = "A serene mountain landscape with a lake"
  n      = 1
  size   = "1024x1024"
  path   = "curl.png"
  alt    = "A lake below mountains"
}
