#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

// One text for all ways to write a JSON value: members sorted by name,
// strings decoded, numbers by their value: those that are one double are one number, for a server
// may read no more of them. nullopt: it can be read in two ways, is no JSON or
// is nested more than 64 deep. Not JSON itself.
std::optional<std::string> CanonicalValue(std::string_view value);

// Adds a part of a key, after its length: no two lists of parts give one text.
void AppendPart(std::string_view part, std::string& key);

}  // namespace sallyport
