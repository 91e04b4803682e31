# client.images.edit(image=…, mask=…, n=1, size="1024x1024"). The mask is
# transparent where the picture may change. Where the service takes none, the
# original pixels are put back outside it.

image "edit_mask" {
  model  = "grok-imagine-image"
  prompt = "Add a rainbow in the sky"
  n      = 1
  size   = "1024x1024"
  path   = "edit_mask.png"
  alt    = "Hills below a sky with a rainbow"

  edit {
    image = "original.png"
    mask {
      file = "mask.png"
    }
  }
}
