#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/yaml_tree.h"

namespace sallyport {

// Fills messages from YAML nodes by their descriptors, as config_file.h describes. `where` is the
// path that errors name, empty at the top.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view file) : file_(file) {}

  absl::Status ReadMessage(const YamlNode& node, const std::string& where,
                           google::protobuf::Message* message) const;

 private:
  using Field = google::protobuf::FieldDescriptor;

  absl::Status ReadMap(const YamlNode& node, const std::string& where,
                       google::protobuf::Message* message) const;
  absl::Status ReadBare(const YamlNode& node, const std::string& where, const Field& field,
                        google::protobuf::Message* message) const;
  absl::Status ReadField(const YamlNode& node, const std::string& where, const Field& field,
                         google::protobuf::Message* message) const;
  absl::Status ReadMapField(const YamlNode& node, const std::string& where, const Field& field,
                            google::protobuf::Message* message) const;
  absl::Status CheckMayBeEmpty(const YamlNode& node, const std::string& where,
                               const Field& field) const;
  // Sets the field, or adds to a repeated one.
  absl::Status ReadSingle(const YamlNode& node, const std::string& where, const Field& field,
                          google::protobuf::Message* message) const;
  // Of a field of whole numbers.
  absl::Status ReadWhole(const YamlNode& node, const std::string& where, const Field& field,
                         google::protobuf::Message* message) const;
  absl::Status ReadWellKnown(const YamlNode& node, const std::string& where,
                             google::protobuf::Message* message, bool* is_well_known) const;
  absl::Status ReadScalar(const YamlNode& node, const std::string& where,
                          google::protobuf::Message* message) const;

  absl::StatusOr<std::string> Text(const YamlNode& node, const std::string& where) const;
  absl::StatusOr<std::uint64_t> Unsigned(const YamlNode& node, const std::string& where,
                                         const Field& field) const;
  absl::StatusOr<std::int64_t> Signed(const YamlNode& node, const std::string& where) const;

  absl::Status UnknownKey(const YamlNode::Entry& entry, const std::string& where,
                          const google::protobuf::Descriptor& type) const;
  absl::Status Wrong(const YamlNode& node, const std::string& where,
                     std::string_view expected) const;

  std::string file_;
};

}  // namespace sallyport
