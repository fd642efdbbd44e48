#include "common/value.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/json_string.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "sallyport/options/v1/no_limit.pb.h"
#include "sallyport/options/v1/sensitivity.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

class Converter {
 public:
  Converter(const JsonStyle& style, const FieldFilter& filter) : style_(style), filter_(filter) {}

  Value OfMessage(const Message& message) const {
    if (std::optional<Value> special = OfWellKnown(message)) return *std::move(special);
    if (std::optional<Value> bare = OfBare(message)) return *std::move(bare);
    Value object = Value::Object();
    const auto* type = message.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor& field = *type->field(i);
      if (!Shows(message, field)) continue;
      const std::string& name = style_.keeps_proto_names ? field.name() : field.json_name();
      object.members.push_back({name, OfField(message, field)});
    }
    return object;
  }

 private:
  static std::optional<Value> OfWellKnown(const Message& message) {
    const std::string& name = message.GetDescriptor()->full_name();
    if (name == "google.protobuf.Timestamp") {
      google::protobuf::Timestamp time;
      time.CopyFrom(message);
      return Value::String(
          TimeText(absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos())));
    }
    if (name == "google.protobuf.Duration") {
      google::protobuf::Duration duration;
      duration.CopyFrom(message);
      return Value::String(
          DurationText(absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos())));
    }
    if (name == "sallyport.types.v1.Scalar") {
      types::v1::Scalar scalar;
      scalar.CopyFrom(message);
      if (scalar.has_text()) return Value::String(scalar.text());
      if (scalar.has_number()) return Value::Literal(scalar.number());
      if (scalar.has_flag()) return Value::Literal(scalar.flag() ? "true" : "false");
      return Value::Literal("null");
    }
    return std::nullopt;
  }

  std::optional<Value> OfBare(const Message& message) const {
    const std::string& name = message.GetDescriptor()->options().GetExtension(options::v1::bare);
    if (name.empty()) return std::nullopt;
    std::vector<const FieldDescriptor*> set;
    message.GetReflection()->ListFields(message, &set);
    if (set.size() != 1 || set[0]->name() != name) return std::nullopt;
    return OfField(message, *set[0]);
  }

  bool Shows(const Message& message, const FieldDescriptor& field) const {
    const Reflection& reflection = *message.GetReflection();
    if (field.is_repeated()) {
      return reflection.FieldSize(message, &field) > 0 || (!field.is_map() && !style_.omits_zeros);
    }
    if (reflection.HasField(message, &field)) {
      return field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM ||
             !EnumWord(*field.enum_type(), reflection.GetEnumValue(message, &field)).empty();
    }
    const bool is_number = field.cpp_type() != FieldDescriptor::CPPTYPE_STRING &&
                           field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM &&
                           field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
    return is_number && !field.has_presence() && !style_.omits_zeros &&
           !field.options().GetExtension(options::v1::zero_is_unset);
  }

  Value OfField(const Message& message, const FieldDescriptor& field) const {
    if (filter_) {
      if (std::optional<Value> instead = filter_(message, field)) return *std::move(instead);
    }
    if (field.is_map()) return OfMap(message, field);
    if (!field.is_repeated()) return OfSingle(message, field, -1);
    Value list = Value::List();
    const int size = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < size; ++i) list.items.push_back(OfSingle(message, field, i));
    return list;
  }

  Value OfMap(const Message& message, const FieldDescriptor& field) const {
    Value object = Value::Object();
    const Reflection& reflection = *message.GetReflection();
    const FieldDescriptor& key = *field.message_type()->map_key();
    const FieldDescriptor& value = *field.message_type()->map_value();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
      object.members.push_back({OfSingle(entry, key, -1).text, OfSingle(entry, value, -1)});
    }
    std::sort(object.members.begin(), object.members.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return object;
  }

  // The field's value, or its i-th one.
  Value OfSingle(const Message& message, const FieldDescriptor& field, int i) const {
    const Reflection& r = *message.GetReflection();
    const auto number = [](auto value) { return Value::Literal(absl::StrCat(value)); };
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return number(i < 0 ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, i));
      case FieldDescriptor::CPPTYPE_INT64:
        return number(i < 0 ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, i));
      case FieldDescriptor::CPPTYPE_UINT32:
        return number(i < 0 ? r.GetUInt32(message, &field)
                            : r.GetRepeatedUInt32(message, &field, i));
      case FieldDescriptor::CPPTYPE_UINT64:
        return number(i < 0 ? r.GetUInt64(message, &field)
                            : r.GetRepeatedUInt64(message, &field, i));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return OfDouble(i < 0 ? r.GetDouble(message, &field)
                              : r.GetRepeatedDouble(message, &field, i));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return OfDouble(i < 0 ? r.GetFloat(message, &field)
                              : r.GetRepeatedFloat(message, &field, i));
      case FieldDescriptor::CPPTYPE_BOOL: {
        const bool flag =
            i < 0 ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, i);
        return Value::Literal(flag ? "true" : "false");
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int value =
            i < 0 ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, i);
        return Value::String(EnumWord(*field.enum_type(), value));
      }
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string text =
            i < 0 ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, i);
        return Value::String(field.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(text)
                                                                         : std::move(text));
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return OfMessage(i < 0 ? r.GetMessage(message, &field)
                               : r.GetRepeatedMessage(message, &field, i));
    }
    return Value::Literal("null");
  }

  static Value OfDouble(double value) {
    return Value::Literal(std::isfinite(value) ? absl::StrCat(value) : "null");
  }

  const JsonStyle& style_;
  const FieldFilter& filter_;
};

void Indent(int depth, std::string* out) { out->append(static_cast<std::size_t>(depth) * 2, ' '); }

void WriteJson(const Value& value, bool is_pretty, int depth, std::string* out) {
  const auto separate = [&](std::size_t i) {
    if (i > 0) *out += ',';
    if (!is_pretty) return;
    *out += '\n';
    Indent(depth + 1, out);
  };
  const auto close = [&](bool is_empty, char bracket) {
    if (is_pretty && !is_empty) {
      *out += '\n';
      Indent(depth, out);
    }
    *out += bracket;
  };
  switch (value.kind) {
    case Value::Kind::kLiteral:
      *out += value.text;
      return;
    case Value::Kind::kString:
      AppendJsonString(value.text, out);
      return;
    case Value::Kind::kList:
      *out += '[';
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        separate(i);
        WriteJson(value.items[i], is_pretty, depth + 1, out);
      }
      close(value.items.empty(), ']');
      return;
    case Value::Kind::kObject:
      *out += '{';
      for (std::size_t i = 0; i < value.members.size(); ++i) {
        separate(i);
        AppendJsonString(value.members[i].name, out);
        *out += is_pretty ? ": " : ":";
        WriteJson(value.members[i].value, is_pretty, depth + 1, out);
      }
      close(value.members.empty(), '}');
      return;
  }
}

// Whether YAML reads the text, without quotes, as this very string, whichever version of YAML it
// is.
bool IsPlainInYaml(std::string_view text) {
  constexpr std::array<std::string_view, 11> kWords = {"null", "true", "false", "yes", "no", "on",
                                                       "off",  "y",    "n",     "inf", "nan"};
  if (text.empty() || text.size() > 200) return false;
  if (std::isalpha(static_cast<unsigned char>(text.front())) == 0 && text.front() != '/')
    return false;
  std::string lower;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool is_inner = i + 1 < text.size();
    const bool is_safe = std::isalnum(c) != 0 ||
                         std::string_view("_./@+-()").find(text[i]) != std::string_view::npos ||
                         (c == ':' && is_inner && text[i + 1] != ' ') || (c == ',' && is_inner) ||
                         (c == ' ' && is_inner && text[i + 1] != ' ');
    if (!is_safe) return false;
    lower += static_cast<char>(std::tolower(c));
  }
  return std::find(kWords.begin(), kWords.end(), lower) == kWords.end();
}

void WriteYamlText(std::string_view text, std::string* out) {
  if (IsPlainInYaml(text)) {
    *out += text;
  } else {
    AppendJsonString(text, out);  // JSON's strings are YAML's
  }
}

bool IsYamlBlock(const Value& value) { return !value.items.empty() || !value.members.empty(); }

// `is_inline`: the first line goes on where `- ` ended.
void WriteYaml(const Value& value, int depth, bool is_inline, std::string* out) {
  const auto indent = [&](bool is_first) {
    if (!is_first || !is_inline) Indent(depth, out);
  };
  switch (value.kind) {
    case Value::Kind::kLiteral:
      *out += value.text;
      return;
    case Value::Kind::kString:
      WriteYamlText(value.text, out);
      return;
    case Value::Kind::kList:
      if (value.items.empty()) *out += "[]";
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        indent(i == 0);
        *out += "- ";
        WriteYaml(value.items[i], depth + 1, /*is_inline=*/true, out);
        if (!IsYamlBlock(value.items[i])) *out += '\n';
      }
      return;
    case Value::Kind::kObject:
      if (value.members.empty()) *out += "{}";
      for (std::size_t i = 0; i < value.members.size(); ++i) {
        const auto& [key, member] = value.members[i];
        indent(i == 0);
        WriteYamlText(key, out);
        *out += IsYamlBlock(member) ? ":\n" : ": ";
        WriteYaml(member, depth + 1, /*is_inline=*/false, out);
        if (!IsYamlBlock(member)) *out += '\n';
      }
      return;
  }
}

}  // namespace

Value Value::Literal(std::string text) { return {Kind::kLiteral, std::move(text), {}, {}}; }
Value Value::String(std::string text) { return {Kind::kString, std::move(text), {}, {}}; }
Value Value::List() { return {Kind::kList, {}, {}, {}}; }
Value Value::Object() { return {Kind::kObject, {}, {}, {}}; }

Value ToValue(const Message& message, const JsonStyle& style, const FieldFilter& filter) {
  return Converter(style, filter).OfMessage(message);
}

void WriteJson(const Value& value, bool is_pretty, std::string* out) {
  WriteJson(value, is_pretty, 0, out);
}

void WriteYaml(const Value& value, std::string* out) {
  WriteYaml(value, 0, /*is_inline=*/false, out);
  if (!IsYamlBlock(value)) *out += '\n';
}

}  // namespace sallyport
