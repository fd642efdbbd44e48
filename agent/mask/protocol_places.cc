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

// Members of a schema whose members are schemas, each under the name it is for.
constexpr std::string_view kSchemasByName[] = {"properties", "patternProperties",
                                               "dependentSchemas", "$defs", "definitions"};

// Keywords of JSON Schema that hold values of what the schema is for.
constexpr std::string_view kValueKeywords[] = {"default", "examples", "example", "const", "enum"};

// Keywords that say how it looks, and MCP's x-mcp-header.
constexpr std::string_view kShapeKeywords[] = {"type",
                                               "title",
                                               "description",
                                               "format",
                                               "pattern",
                                               "minimum",
                                               "maximum",
                                               "exclusiveMinimum",
                                               "exclusiveMaximum",
                                               "multipleOf",
                                               "minLength",
                                               "maxLength",
                                               "minItems",
                                               "maxItems",
                                               "uniqueItems",
                                               "minContains",
                                               "maxContains",
                                               "minProperties",
                                               "maxProperties",
                                               "required",
                                               "readOnly",
                                               "writeOnly",
                                               "deprecated",
                                               "nullable",
                                               "items",
                                               "contains",
                                               "not",
                                               "propertyNames",
                                               "contentEncoding",
                                               "contentMediaType",
                                               "$ref",
                                               "$dynamicRef",
                                               "$id",
                                               "$schema",
                                               "$anchor",
                                               "$dynamicAnchor",
                                               "$comment",
                                               "x-mcp-header",
                                               "additionalProperties",
                                               "unevaluatedProperties",
                                               "unevaluatedItems",
                                               "dependentRequired"};

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

bool ProtocolPlaces::IsMemberSchema(std::uint32_t node) const {
  const auto nodes = index_.nodes();
  if (!nodes[node].is_object() || node == 0 ||
      !IsOneOf(nodes[nodes[node].parent].key, kSchemasByName)) {
    return false;
  }
  for (std::uint32_t at = nodes[node].parent; at != 0; at = nodes[at].parent) {
    const std::string_view key = nodes[at].key;
    const bool is_of_tool = key == "inputSchema" || key == "outputSchema";
    if (!is_of_tool && key != "requestedSchema") continue;
    const Place place = PlaceOf(nodes[at].parent);
    if (is_of_tool ? place == Place::kNamed : place == Place::kBody || place == Place::kEnvelope) {
      return true;
    }
  }
  return false;
}

bool ProtocolPlaces::DescribesMember(std::uint32_t field, std::uint32_t leaf) const {
  if (!IsMemberSchema(field)) return false;
  const auto nodes = index_.nodes();
  std::string_view keyword;
  for (std::uint32_t at = leaf; at != field; at = nodes[at].parent) {
    const std::string_view key = nodes[at].key;
    if (IsOneOf(key, kValueKeywords)) return false;
    if (keyword.empty()) keyword = key;
  }
  return IsOneOf(keyword, kShapeKeywords);
}

ProtocolPlaces::Place ProtocolPlaces::PlaceOf(std::uint32_t node) const {
  if (node == 0) return Place::kTop;
  const JsonNode& child = index_.nodes()[node];
  return PlaceIn(PlaceOf(child.parent), child, index_.nodes()[child.parent].is_array());
}

}  // namespace sallyport::agent
