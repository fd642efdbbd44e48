#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sallyport {

inline constexpr std::size_t kMaxYamlBytes = 1 << 20;

// One node of a YAML document, with the line it stands on. For what has no proto message (a test's
// `arguments`); configuration files and documents are read through config_file.h.
struct YamlNode {
  struct Entry;
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  // Of the file, from 1.
  int line = 1;
  int column = 1;
  // A scalar, decoded.
  std::string text;
  // A quoted or block scalar is always a string.
  bool is_quoted = false;
  std::vector<YamlNode> items;
  // In the order of the file; no key stands twice.
  std::vector<Entry> entries;

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  // Null when there is none.
  const YamlNode* Find(std::string_view key) const;
};

struct YamlNode::Entry {
  std::string key;
  int line = 1;
  YamlNode value;
};

// Parses the one document in `text`, whose first line is line `first_line` of `file`; a text of
// comments only is a null node. kInvalidArgument naming file and line for anything but mappings
// with scalar keys, lists and scalars in UTF-8, naming the column, too: anchors, aliases, tags,
// merge keys, repeated keys and a second document are refused, as is what is larger than
// kMaxYamlBytes, deeper than 64 or has more than 100,000 nodes.
absl::StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file,
                                   int first_line = 1);

// What YAML 1.2's core schema reads a scalar as.
enum class YamlType { kNull, kBool, kNumber, kString, kOddNumber };
// kOddNumber: a number that JSON would write otherwise (+5, 017, 0x1f, .inf), so that readers may
// differ about it.
YamlType TypeOf(const YamlNode& scalar);

// `FILE:LINE: message`
absl::Status YamlError(std::string_view file, int line, std::string_view message);

// The node as one line of JSON; kInvalidArgument for odd numbers.
absl::StatusOr<std::string> YamlToJson(const YamlNode& node, std::string_view file);

}  // namespace sallyport
