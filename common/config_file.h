#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/yaml_tree.h"

// YAML to proto messages, driven by their descriptors: a field's name is its key. Both
// configuration files and the documents that people apply come in through here. Refused, naming
// file, line and key: unknown keys, repeated keys, values of the wrong type, two members of one
// oneof, anchors, aliases, merge keys and tags, and whatever is not UTF-8. Input may be hostile:
// size and depth are bounded, and nothing throws.
//
// Values: durations `500ms` `15m` `1h30m` `90d`; times RFC 3339; `byte_size` fields `4GiB` `16MiB`
// or a plain number; enums by their lower-case word without the prefix (`connect`); a message with
// the option `bare` also takes a scalar or a list for that field; a types.v1.Scalar keeps the type
// of YAML 1.2's core schema (`no` is a string, `0x1f` and `017` are refused: write the number or
// quote it). A string field takes only what YAML reads as a string or a number written in decimal;
// `null` is refused everywhere but in a Scalar, an empty list or map everywhere but in a field with
// the option `may_be_empty`, and so are 0 and "" wherever they would read as if nothing were said.
//
// Errors are kInvalidArgument with the text `FILE:LINE: unknown key "x" in session`.
namespace sallyport {

// Reads `path` (kNotFound, kPermissionDenied when it cannot be read) and parses its one document
// into `message`, which is cleared first.
absl::Status LoadConfigFile(const std::string& path, google::protobuf::Message* message);

// The same for text; `file` is what errors call it.
absl::Status ParseConfig(std::string_view text, std::string_view file,
                         google::protobuf::Message* message);

// The text of a file without what some editors begin one of UTF-8 with.
std::string_view WithoutByteOrderMark(std::string_view text);

// One document of a file that may hold several, told apart but not judged.
struct YamlDocument {
  // What errors call the file.
  std::string file;
  // The file's line on which `source` begins, from 1.
  int line = 1;
  std::string kind;
  // Empty where the document has none.
  std::string name;
  // The line of `kind`, for errors about the document as a whole.
  int kind_line = 1;
  // Its text as it stood in the file, without the `---` and the empty lines above it.
  std::string source;
};

// Splits at `---`. Documents of nothing but comments are left out. Each other must be a mapping
// with a string `kind`.
absl::StatusOr<std::vector<YamlDocument>> SplitDocuments(std::string_view text,
                                                         std::string_view file);

// A document of the form {kind, name, spec}: `spec` into `spec`, which is cleared first. Any other
// key is refused; name and spec are required.
absl::Status ParseSpec(const YamlDocument& document, google::protobuf::Message* spec);

// The whole document as a tree, for kinds that have no proto message. `kind` and `name` are among
// its entries.
absl::StatusOr<YamlNode> ParseTree(const YamlDocument& document);

// A node of a tree into `message`, which is cleared first. `where` is what errors call the node:
// `cases[2].principal`.
absl::Status ReadNode(const YamlNode& node, std::string_view file, std::string_view where,
                      google::protobuf::Message* message);

}  // namespace sallyport
