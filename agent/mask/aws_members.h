#pragma once

#include "agent/mcp/json_index.h"

namespace sallyport::agent {

// `node`, a string of `index`, is an AWS secret by its own name, or by the name that stands beside
// it: {"name": "...", "value": "..."}. Also in base64, as Kubernetes keeps its secrets.
bool IsAwsSecretMember(const JsonIndex& index, const JsonNode& node);

}  // namespace sallyport::agent
