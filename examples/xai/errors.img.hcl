# try: … except: what the page tells apart by words in the error, imgbuild tells
# apart by its kind. Content policy: recorded as refused, with what it cost, and
# not bought again until the prompt or reroll changes (or -retry-refused). Rate
# limit: waited for. No answer: held, because it may have been paid, until
# -retry-in-doubt. Anything else: the image fails, the others are made.

image "errors" {
  model  = "grok-imagine-image"
  prompt = "A lighthouse on a cliff in a storm, dramatic shadows"
  n      = 1
  reroll = "1"
  path   = "errors.jpg"
  alt    = "A lighthouse in a storm"
}
