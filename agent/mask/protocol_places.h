#pragma once

#include <cstdint>

#include "agent/mcp/json_index.h"

namespace sallyport::agent {

// Where the values of a message stand in the protocol.
class ProtocolPlaces {
 public:
  // `index` outlives this.
  explicit ProtocolPlaces(const JsonIndex& index);

  // The protocol itself reads it, or a client sends it back: it cannot be masked in place.
  bool IsFixed(std::uint32_t node) const { return PlaceOf(node) == Place::kFixed; }
  // `field` is the schema of a member in the definition of a tool, or in what a server asks a
  // person for (JSON Schema, as MCP uses it), and `leaf` in it says how such a member looks: its
  // type, a bound, a description. Not so a value of one, such as a default.
  bool DescribesMember(std::uint32_t field, std::uint32_t leaf) const;
  // The id of a response is the client's own.
  bool IsClientsId(const JsonNode& node) const {
    return is_response_ && node.depth == 1 && node.key == "id";
  }

 private:
  enum class Place : std::uint8_t { kTop, kBody, kEnvelope, kNamed, kMeta, kError, kData, kFixed };
  static Place PlaceIn(Place parent, const JsonNode& node, bool parent_is_array);
  static Place PlaceInBody(Place parent, const JsonNode& node);
  Place PlaceOf(std::uint32_t node) const;
  bool IsMemberSchema(std::uint32_t node) const;

  const JsonIndex& index_;
  bool is_response_;
};

}  // namespace sallyport::agent
