# imgbuild test runs this offline and free, and touches neither lock nor covers.

run "every_post_has_a_cover" {
  assert {
    condition     = length(image.cover) == length(fileset("content/posts", "*.md"))
    error_message = "there are covers for ${join(", ", keys(image.cover))} only"
  }
  assert {
    condition     = alltrue([for c in image.cover : c.alt != ""])
    error_message = "a cover needs image_alt in the front matter of its post"
  }
  assert {
    condition     = alltrue([for c in image.cover : endswith(c.prompt, "Flat illustration, calm palette.")])
    error_message = "a cover is not in the style of the house"
  }
}

run "covers_are_small" {
  command = apply

  assert {
    condition     = alltrue([for c in image.cover : c.width >= 1200 && c.bytes < 600000])
    error_message = "covers have ${join(", ", [for c in image.cover : "${c.width} pixels in ${c.bytes} bytes"])}"
  }
}

run "nothing_is_made_twice" {
  command = apply

  assert {
    condition     = plan.make == 0 && plan.unchanged == length(image.cover)
    error_message = "${plan.make} would be made again"
  }
}
