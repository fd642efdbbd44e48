#include "agent/mask/protocol_places.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace sallyport::agent {
namespace {

constexpr std::string_view kModernPrefix = "io.modelcontextprotocol/";

template <std::size_t n>
bool IsOneOf(std::string_view text, const std::string_view (&words)[n]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// Members of results, params and their items that the protocol itself reads, or that a client sends
// back.
constexpr std::string_view kFixedMembers[] = {
    "type",       "role",   "mimeType",      "uri",        "uriTemplate",     "cursor",
    "nextCursor", "taskId", "progressToken", "requestId",  "protocolVersion", "level",
    "mode",       "action", "elicitationId", "stopReason", "toolUseId"};

// Members whose value is the server's data, whatever their names.
constexpr std::string_view kDataMembers[] = {
    "structuredContent", "inputSchema", "outputSchema", "requestedSchema", "data",
    "arguments",         "input",       "metadata",     "capabilities"};

}  // namespace

ProtocolPlaces::ProtocolPlaces(const JsonIndex& index)
    : index_(index), is_response_(index.Member(&index.root(), "method") == nullptr) {}

ProtocolPlaces::Place ProtocolPlaces::PlaceInBody(Place parent, const JsonNode& node) {
  if (node.key == "_meta") return Place::kMeta;
  if (!node.is_object() && !node.is_array()) {
    const bool is_handle = parent == Place::kNamed && node.key == "name";
    return is_handle || IsOneOf(node.key, kFixedMembers) ? Place::kFixed : Place::kData;
  }
  if (IsOneOf(node.key, kDataMembers)) return Place::kData;
  return parent == Place::kBody && (node.key == "tools" || node.key == "prompts")
             ? Place::kNamed
             : Place::kEnvelope;
}

ProtocolPlaces::Place ProtocolPlaces::PlaceIn(Place parent, const JsonNode& node,
                                              bool parent_is_array) {
  switch (parent) {
    case Place::kTop:
      if (node.key == "result" || node.key == "params") return Place::kBody;
      if (node.key == "error") return Place::kError;
      return node.key == "jsonrpc" || node.key == "id" || node.key == "method" ? Place::kFixed
                                                                               : Place::kData;
    case Place::kError:
      return node.key == "code" ? Place::kFixed : Place::kData;
    case Place::kMeta:
      return node.key == "progressToken" ||
                     node.key.substr(0, kModernPrefix.size()) == kModernPrefix
                 ? Place::kFixed
                 : Place::kData;
    case Place::kBody:
    case Place::kEnvelope:
    case Place::kNamed:
      return parent_is_array ? parent : PlaceInBody(parent, node);
    case Place::kData:
    case Place::kFixed:
      return parent;
  }
  return Place::kData;
}

ProtocolPlaces::Place ProtocolPlaces::PlaceOf(std::uint32_t node) const {
  if (node == 0) return Place::kTop;
  const JsonNode& child = index_.nodes()[node];
  return PlaceIn(PlaceOf(child.parent), child, index_.nodes()[child.parent].is_array());
}

}  // namespace sallyport::agent
