#include "common/json_printer.h"

#include <cctype>

#include "common/value.h"

namespace sallyport {
namespace {

Value ToList(const std::vector<const google::protobuf::Message*>& items,
             std::string_view next_page_token, const JsonStyle& style) {
  Value list = Value::List();
  for (const auto* item : items) list.items.push_back(ToValue(*item, style));
  Value object = Value::Object();
  object.members.push_back({"items", std::move(list)});
  if (!next_page_token.empty()) {
    object.members.push_back({style.keeps_proto_names ? "next_page_token" : "nextPageToken",
                              Value::String(std::string(next_page_token))});
  }
  return object;
}

std::string InJson(const Value& value, const JsonStyle& style) {
  std::string json;
  WriteJson(value, style.is_pretty, &json);
  return json;
}

std::string InYaml(const Value& value) {
  std::string yaml;
  WriteYaml(value, &yaml);
  return yaml;
}

// SessionState: SESSION_STATE_
std::string PrefixOf(const google::protobuf::EnumDescriptor& type) {
  std::string prefix;
  for (char c : type.name()) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0 && !prefix.empty()) prefix += '_';
    prefix += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return prefix + '_';
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message, const JsonStyle& style) {
  return InJson(ToValue(message, style), style);
}

std::string ListToJson(const std::vector<const google::protobuf::Message*>& items,
                       std::string_view next_page_token, const JsonStyle& style) {
  return InJson(ToList(items, next_page_token, style), style);
}

std::string ToYaml(const google::protobuf::Message& message, const JsonStyle& style) {
  return InYaml(ToValue(message, style));
}

std::string ListToYaml(const std::vector<const google::protobuf::Message*>& items,
                       std::string_view next_page_token, const JsonStyle& style) {
  return InYaml(ToList(items, next_page_token, style));
}

std::string EnumWord(const google::protobuf::EnumDescriptor& type, int number) {
  const auto* value = type.FindValueByNumber(number);
  if (value == nullptr || number == 0) return "";
  std::string_view name = value->name();
  const std::string prefix = PrefixOf(type);
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  std::string word;
  for (char c : name) word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

}  // namespace sallyport
