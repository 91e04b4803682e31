# An icon for light pages, and the same for dark ones.

variable "subject" {
  description = "what the icon shows"
  type        = string
}

variable "style" {
  description = "a preset"
}

image "light" {
  preset     = var.style
  prompt     = var.subject
  decorative = true
}

image "dark" {
  prompt     = "The same on a dark background"
  decorative = true

  edit {
    image = image.light
  }
}

output "light" {
  value = image.light
}
