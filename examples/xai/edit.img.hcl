# client.image.sample(image_url=f"data:image/jpeg;base64,{…}"): the picture as a
# data URL. image = "cat-in-tree.jpg" does the same, for files of any size.

image "edit" {
  model  = "grok-imagine-image"
  prompt = "Swap the cat in the picture with a dog."
  path   = "edit.jpg"
  alt    = "A dog in a tree"

  edit {
    image = "data:image/jpeg;base64,${filebase64("cat-in-tree.jpg")}"
  }
}
