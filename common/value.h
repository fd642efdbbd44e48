#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json_printer.h"

namespace sallyport {

// A JSON value on its way out; members keep their order.
struct Value {
  struct Member;
  enum class Kind { kLiteral, kString, kList, kObject };

  static Value Literal(std::string text);
  static Value String(std::string text);
  static Value List();
  static Value Object();

  Kind kind = Kind::kLiteral;
  // A literal (number, true, false, null) as it is, a string decoded.
  std::string text;
  std::vector<Value> items;
  std::vector<Member> members;
};

struct Value::Member {
  std::string name;
  Value value;
};

// What stands in a field's place; nullopt: the field itself.
using FieldFilter = std::function<std::optional<Value>(const google::protobuf::Message&,
                                                       const google::protobuf::FieldDescriptor&)>;

// A message as json_printer.h describes it.
Value ToValue(const google::protobuf::Message& message, const JsonStyle& style,
              const FieldFilter& filter = nullptr);

void WriteJson(const Value& value, bool is_pretty, std::string* out);
void WriteYaml(const Value& value, std::string* out);

}  // namespace sallyport
