#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "agent/mcp/message.h"
#include "agent/mcp/methods.h"

namespace sallyport::agent {

// Takes the entries that `is_allowed` refuses out of the result of tools/list, resources/list,
// resources/templates/list or prompts/list. It is asked with each entry's decoded name (tools,
// prompts), uri or uriTemplate (resources), and with the entry as it stands; an entry that has no
// name goes. What stays is byte for byte what the server sent. Error responses pass unchanged. A
// result without the list is upstream_invalid.
absl::StatusOr<UpstreamMessage> FilterList(
    UpstreamMessage response, ListKind kind,

    absl::FunctionRef<bool(std::string_view name, std::string_view entry)> is_allowed);

}  // namespace sallyport::agent
