# The two styles. Where the service takes none, they are words in the prompt.

image "style" {
  for_each = toset(["vivid", "natural"])

  prompt = "A harbour town in the morning"
  style  = each.key
  path   = "style-${each.key}.jpg"
  alt    = "A harbour town, ${each.key}"
}
