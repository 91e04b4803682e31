# The two good prompts of "Best Practices", as one house style and two subjects.

preset "crafted" {
  after = "Highly detailed."
}

image "prompt" {
  for_each = {
    portrait = "A photorealistic portrait of an elderly woman with silver hair, warm lighting, professional photography."
    painting = "An oil painting of a stormy sea with a lighthouse, impressionist style, dramatic lighting."
  }

  preset = preset.crafted
  prompt = each.value
  path   = "prompt-${each.key}.jpg"
  alt    = each.value # imgbuild:ignore IB4003 this example is about prompts
}
