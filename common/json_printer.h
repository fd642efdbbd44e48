#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

// Proto messages as our JSON, for `-o json|yaml`, webhooks and HTTP answers: member names
// lowerCamelCase, enum values the glossary's words in lower case, Timestamps RFC 3339 in UTC with
// `Z`, Durations as configuration files write them (`15m`), bytes base64, integers of any width as
// JSON numbers, map keys sorted. A types.v1.Scalar is the scalar itself, and a message with the
// option `bare` of which nothing else is set is that field's value.
//
// Left out: what is not set, empty strings, bytes and maps, enums that are UNSPECIFIED, and a 0
// that means no limit (the option `zero_is_unset`). Lists are printed even when they are empty, so
// that a reader may go through them unasked; so are numbers and booleans that know no "unset" when
// they are 0 or false, because `calls: 0` says something.
namespace sallyport {

struct JsonStyle {
  // Two spaces of indentation and line breaks, instead of one line.
  bool is_pretty = false;
  // Names as the proto files (and YAML documents) have them: max_duration.
  bool keeps_proto_names = false;
  // Leaves out 0, false and empty lists too: a document as someone would write it.
  bool omits_zeros = false;
};

std::string ToJson(const google::protobuf::Message& message, const JsonStyle& style = {});

// {"items": [...], "nextPageToken": "..."}; without the token when it is empty.
std::string ListToJson(const std::vector<const google::protobuf::Message*>& items,
                       std::string_view next_page_token, const JsonStyle& style = {});

// The same values as YAML in block style, ending in a line break. Strings that YAML would read as
// something else are quoted.
std::string ToYaml(const google::protobuf::Message& message, const JsonStyle& style = {});
std::string ListToYaml(const std::vector<const google::protobuf::Message*>& items,
                       std::string_view next_page_token, const JsonStyle& style = {});

// The word of an enum value: its name in lower case without the enum's own prefix
// (SESSION_STATE_ACTIVE: `active`). Empty for UNSPECIFIED and for numbers without a name.
std::string EnumWord(const google::protobuf::EnumDescriptor& type, int number);
template <class Enum>
std::string EnumWord(Enum value) {
  return EnumWord(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

}  // namespace sallyport
