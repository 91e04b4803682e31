# Each file beside this one is the twin of a code sample of xAI's page "Image
# Generation and Edit". To rehearse without a key and for nothing:
#
#   imgbuild emulate -listen 127.0.0.1:8080
#   imgbuild -C examples/xai apply -var endpoint=http://127.0.0.1:8080/v1
#
# With a key in XAI_API_KEY and without -var, the real service is asked, and paid:
# what was rehearsed is planned anew.

imgbuild {
  output_dir       = "img"
  default_provider = provider.xai
}

variable "endpoint" {
  description = "the service, or an emulator"
  type        = string
  default     = "https://api.x.ai/v1"
}

variable "wire" {
  description = "current: what the service takes today; documented: what the page says"
  type        = string
  default     = "current"
}

variable "transport" {
  description = "rest or grpc"
  type        = string
  default     = "rest"
}

# Client(api_key=os.getenv('XAI_API_KEY')), or OpenAI(base_url=…): the key comes
# from the environment, never from here.
provider "xai" {
  endpoint  = var.endpoint
  wire      = var.wire
  transport = var.transport
}

# response_format "b64_json" of REST, IMG_FORMAT_BASE64 of gRPC.
provider "xai" {
  alias     = "base64"
  endpoint  = var.endpoint
  wire      = var.wire
  transport = var.transport
  response  = "b64_json"
}
