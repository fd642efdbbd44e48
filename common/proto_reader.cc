#include "common/proto_reader.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/json_printer.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "sallyport/options/v1/empty_list.pb.h"
#include "sallyport/options/v1/sensitivity.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string In(const std::string& where) {
  return where.empty() ? "" : absl::StrCat(" in ", where);
}

std::string Member(const std::string& where, std::string_view name) {
  return absl::StrCat(where, where.empty() ? "" : ".", ToAbsl(name));
}

// How many letters must change to make one word the other.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// The one of `names` that was probably meant; empty when none is near.
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& names) {
  std::string_view nearest;
  std::size_t least = 3;
  if (word.size() > 64) return nearest;
  for (std::string_view name : names) {
    const std::size_t distance = Distance(word, name);
    if (distance < least && distance < name.size()) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

// `4GiB`, `512KiB` or `100`, in bytes.
bool ParseByteSize(std::string_view text, std::uint64_t* bytes) {
  const struct {
    std::string_view unit;
    int shift;
  } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"", 0}};
  for (const auto& [unit, shift] : units) {
    if (!text.ends_with(unit)) continue;
    const std::string_view digits = text.substr(0, text.size() - unit.size());
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
      return false;
    std::uint64_t number = 0;
    if (!absl::SimpleAtoi(ToAbsl(digits), &number)) return false;
    if (number > (std::numeric_limits<std::uint64_t>::max() >> shift)) return false;
    *bytes = number << shift;
    return true;
  }
  return false;
}

std::string WordsOf(const google::protobuf::EnumDescriptor& type) {
  std::string words;
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string word = EnumWord(type, type.value(i)->number());
    if (!word.empty()) absl::StrAppend(&words, words.empty() ? "" : ", ", word);
  }
  return words;
}

// 0, which is UNSPECIFIED and has no word, when it is none.
int NumberOfWord(const google::protobuf::EnumDescriptor& type, std::string_view word) {
  for (int i = 0; i < type.value_count(); ++i) {
    const int number = type.value(i)->number();
    if (!word.empty() && EnumWord(type, number) == word) return number;
  }
  return 0;
}

// A value of 0 or "" would read as if it were not there: as the default, or as any.
bool ReadsAsLeftOut(const FieldDescriptor& field) {
  return !field.has_presence() && !field.is_repeated() &&
         !field.options().GetExtension(options::v1::may_be_empty) &&
         !field.containing_type()->options().map_entry();
}

using R = google::protobuf::Reflection;

// Where one value of a field goes: the field itself, or the end of a repeated one.
class FieldSlot {
 public:
  FieldSlot(const FieldDescriptor& field, Message& message)
      : field_(field), message_(message), reflection_(*message.GetReflection()) {}

  template <class Set, class Add, class Value>
  void Put(Set set, Add add, Value value) {
    if (field_.is_repeated()) {
      (reflection_.*add)(&message_, &field_, std::move(value));
    } else {
      (reflection_.*set)(&message_, &field_, std::move(value));
    }
  }
  Message* MakeMessage() {
    return field_.is_repeated() ? reflection_.AddMessage(&message_, &field_)
                                : reflection_.MutableMessage(&message_, &field_);
  }

 private:
  const FieldDescriptor& field_;
  Message& message_;
  const google::protobuf::Reflection& reflection_;
};

}  // namespace

absl::Status ProtoReader::ReadMessage(const YamlNode& node, const std::string& where,
                                      Message* message) const {
  bool is_well_known = false;
  RETURN_IF_ERROR(ReadWellKnown(node, where, message, &is_well_known));
  if (is_well_known) return absl::OkStatus();
  if (node.is_map()) return ReadMap(node, where, message);
  const std::string& bare = message->GetDescriptor()->options().GetExtension(options::v1::bare);
  const Field* field = bare.empty() ? nullptr : message->GetDescriptor()->FindFieldByName(bare);
  if (field == nullptr || node.is_null()) return Wrong(node, where, "a mapping");
  return ReadBare(node, where, *field, message);
}

absl::Status ProtoReader::ReadBare(const YamlNode& node, const std::string& where,
                                   const Field& field, Message* message) const {
  if (field.is_repeated() && node.is_scalar()) return ReadSingle(node, where, field, message);
  return ReadField(node, where, field, message);
}

absl::Status ProtoReader::ReadMap(const YamlNode& node, const std::string& where,
                                  Message* message) const {
  const Descriptor& type = *message->GetDescriptor();
  for (const YamlNode::Entry& entry : node.entries) {
    const Field* field = type.FindFieldByName(entry.key);
    if (field == nullptr) return UnknownKey(entry, where, type);
    if (const auto* choice = field->real_containing_oneof()) {
      const Field* other = message->GetReflection()->GetOneofFieldDescriptor(*message, choice);
      if (other != nullptr) {
        return YamlError(file_, entry.line,
                         absl::StrCat("\"", other->name(), "\" and \"", field->name(),
                                      "\" exclude each other", In(where)));
      }
    }
    RETURN_IF_ERROR(ReadField(entry.value, Member(where, entry.key), *field, message));
  }
  return absl::OkStatus();
}

absl::Status ProtoReader::ReadField(const YamlNode& node, const std::string& where,
                                    const Field& field, Message* message) const {
  if (field.is_map()) return ReadMapField(node, where, field, message);
  if (!field.is_repeated()) return ReadSingle(node, where, field, message);
  if (!node.is_list()) return Wrong(node, where, "a list");
  if (node.items.empty()) RETURN_IF_ERROR(CheckMayBeEmpty(node, where, field));
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    RETURN_IF_ERROR(ReadSingle(node.items[i], absl::StrCat(where, "[", i, "]"), field, message));
  }
  return absl::OkStatus();
}

absl::Status ProtoReader::CheckMayBeEmpty(const YamlNode& node, const std::string& where,
                                          const Field& field) const {
  if (field.options().GetExtension(options::v1::may_be_empty)) return absl::OkStatus();
  return YamlError(file_, node.line,
                   absl::StrCat(where, ": the ", node.is_list() ? "list" : "mapping",
                                " is empty; name something, or leave the key "
                                "out, which means what its reference says"));
}

absl::Status ProtoReader::ReadMapField(const YamlNode& node, const std::string& where,
                                       const Field& field, Message* message) const {
  if (!node.is_map()) return Wrong(node, where, "a mapping");
  if (node.entries.empty()) RETURN_IF_ERROR(CheckMayBeEmpty(node, where, field));
  const auto& reflection = *message->GetReflection();
  for (const YamlNode::Entry& entry : node.entries) {
    // Entries go in through the map's list form, the only one that reflection offers to outsiders.
    // Keys do not repeat: the tree saw to it.
    Message* pair = reflection.AddMessage(message, &field);
    pair->GetReflection()->SetString(pair, field.message_type()->map_key(), entry.key);
    RETURN_IF_ERROR(ReadSingle(entry.value, Member(where, entry.key),
                               *field.message_type()->map_value(), pair));
  }
  return absl::OkStatus();
}

absl::Status ProtoReader::ReadSingle(const YamlNode& node, const std::string& where,
                                     const Field& field, Message* message) const {
  FieldSlot slot(field, *message);
  switch (field.cpp_type()) {
    case Field::CPPTYPE_MESSAGE:
      return ReadMessage(node, where, slot.MakeMessage());
    case Field::CPPTYPE_BOOL:
      if (!node.is_scalar() || TypeOf(node) != YamlType::kBool)
        return Wrong(node, where, "true or false");
      slot.Put(&R::SetBool, &R::AddBool, node.text.front() == 't' || node.text.front() == 'T');
      return absl::OkStatus();
    case Field::CPPTYPE_ENUM: {
      ASSIGN_OR_RETURN(const std::string word, Text(node, where));
      const int number = NumberOfWord(*field.enum_type(), word);
      if (number == 0)
        return Wrong(node, where, absl::StrCat("one of ", WordsOf(*field.enum_type())));
      slot.Put(&R::SetEnumValue, &R::AddEnumValue, number);
      return absl::OkStatus();
    }
    case Field::CPPTYPE_STRING: {
      if (field.type() == Field::TYPE_BYTES)
        return Wrong(node, where, "nothing: it cannot be written in a file");
      ASSIGN_OR_RETURN(std::string text, Text(node, where));
      if (text.empty() && ReadsAsLeftOut(field))
        return Wrong(node, where, "a text that is not empty, or no such key");
      slot.Put(&R::SetString, &R::AddString, std::move(text));
      return absl::OkStatus();
    }
    case Field::CPPTYPE_DOUBLE:
    case Field::CPPTYPE_FLOAT:
      return Wrong(node, where, "nothing: fractions cannot be written in a file");
    default:
      return ReadWhole(node, where, field, message);
  }
}

absl::Status ProtoReader::ReadWhole(const YamlNode& node, const std::string& where,
                                    const Field& field, Message* message) const {
  FieldSlot slot(field, *message);
  const bool is_signed =
      field.cpp_type() == Field::CPPTYPE_INT32 || field.cpp_type() == Field::CPPTYPE_INT64;
  if (is_signed) {
    ASSIGN_OR_RETURN(const std::int64_t number, Signed(node, where));
    if (field.cpp_type() == Field::CPPTYPE_INT64) {
      slot.Put(&R::SetInt64, &R::AddInt64, number);
      return absl::OkStatus();
    }
    if (number != static_cast<std::int32_t>(number)) return Wrong(node, where, "a smaller number");
    slot.Put(&R::SetInt32, &R::AddInt32, static_cast<std::int32_t>(number));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::uint64_t number, Unsigned(node, where, field));
  if (field.cpp_type() == Field::CPPTYPE_UINT64) {
    slot.Put(&R::SetUInt64, &R::AddUInt64, number);
    return absl::OkStatus();
  }
  if (number > std::numeric_limits<std::uint32_t>::max())
    return Wrong(node, where, "a smaller number");
  slot.Put(&R::SetUInt32, &R::AddUInt32, static_cast<std::uint32_t>(number));
  return absl::OkStatus();
}

absl::Status ProtoReader::ReadWellKnown(const YamlNode& node, const std::string& where,
                                        Message* message, bool* is_well_known) const {
  *is_well_known = true;
  const std::string& name = message->GetDescriptor()->full_name();
  if (name == "google.protobuf.Duration") {
    if (!node.is_scalar()) return Wrong(node, where, "a duration such as 15m");
    absl::StatusOr<absl::Duration> duration = ParseDuration(node.text);
    if (absl::IsOutOfRange(duration.status())) {
      return Wrong(node, where,
                   absl::StrCat("a duration of at most ", DurationText(kLongestDuration)));
    }
    if (!duration.ok()) return Wrong(node, where, "a duration such as 500ms, 15m, 1h30m or 90d");
    google::protobuf::Duration value;
    value.set_seconds(absl::IDivDuration(*duration, absl::Seconds(1), &*duration));
    value.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(*duration)));
    message->CopyFrom(value);
    return absl::OkStatus();
  }
  if (name == "google.protobuf.Timestamp") {
    if (!node.is_scalar()) return Wrong(node, where, "a time such as 2026-12-31T00:00:00Z");
    const absl::StatusOr<absl::Time> time = ParseTime(node.text);
    if (!time.ok()) return Wrong(node, where, "a time such as 2026-12-31T00:00:00Z");
    google::protobuf::Timestamp value;
    value.set_seconds(absl::ToUnixSeconds(*time));
    value.set_nanos(
        static_cast<int>(absl::ToInt64Nanoseconds(*time - absl::FromUnixSeconds(value.seconds()))));
    message->CopyFrom(value);
    return absl::OkStatus();
  }
  if (name == "sallyport.types.v1.Scalar") return ReadScalar(node, where, message);
  *is_well_known = false;
  return absl::OkStatus();
}

absl::Status ProtoReader::ReadScalar(const YamlNode& node, const std::string& where,
                                     Message* message) const {
  types::v1::Scalar scalar;
  if (node.is_list() || node.is_map()) return Wrong(node, where, "a single value");
  switch (TypeOf(node)) {
    case YamlType::kNull:
      scalar.set_null(true);
      break;
    case YamlType::kBool:
      scalar.set_flag(node.text.front() == 't' || node.text.front() == 'T');
      break;
    case YamlType::kNumber:
      scalar.set_number(node.text);
      break;
    case YamlType::kString:
      scalar.set_text(node.text);
      break;
    case YamlType::kOddNumber:
      return Wrong(node, where, "a decimal number, or quotes around it");
  }
  message->CopyFrom(scalar);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ProtoReader::Text(const YamlNode& node,
                                              const std::string& where) const {
  if (!node.is_scalar()) return Wrong(node, where, "a string");
  const YamlType type = TypeOf(node);
  if (type == YamlType::kBool || type == YamlType::kOddNumber) {
    return Wrong(node, where, "a string: put quotes around it");
  }
  if (node.text.find('\0') != std::string::npos) return Wrong(node, where, "a string without NUL");
  return node.text;
}

absl::StatusOr<std::uint64_t> ProtoReader::Unsigned(const YamlNode& node, const std::string& where,
                                                    const Field& field) const {
  std::uint64_t number = 0;
  if (field.options().GetExtension(options::v1::byte_size)) {
    if (node.is_scalar() && ParseByteSize(node.text, &number)) return number;
    return Wrong(node, where, "a size such as 16MiB or 4GiB");
  }
  const bool is_whole = node.is_scalar() && TypeOf(node) == YamlType::kNumber &&
                        node.text.find_first_not_of("0123456789") == std::string::npos;
  if (!is_whole || !absl::SimpleAtoi(node.text, &number))
    return Wrong(node, where, "a whole number");
  // It would mean no limit where somebody meant none at all.
  if (number == 0 && ReadsAsLeftOut(field))
    return Wrong(node, where, "a number above 0, or no such key");
  return number;
}

absl::StatusOr<std::int64_t> ProtoReader::Signed(const YamlNode& node,
                                                 const std::string& where) const {
  std::int64_t number = 0;
  const bool is_whole = node.is_scalar() && TypeOf(node) == YamlType::kNumber &&
                        node.text.find_first_not_of("-0123456789") == std::string::npos;
  if (!is_whole || !absl::SimpleAtoi(node.text, &number))
    return Wrong(node, where, "a whole number");
  return number;
}

absl::Status ProtoReader::UnknownKey(const YamlNode::Entry& entry, const std::string& where,
                                     const Descriptor& type) const {
  std::vector<std::string_view> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  const std::string_view meant = Nearest(entry.key, names);
  return YamlError(
      file_, entry.line,
      absl::StrCat("unknown key ", JsonString(std::string_view(entry.key).substr(0, 80)), In(where),
                   meant.empty() ? "" : absl::StrCat(": did you mean \"", ToAbsl(meant), "\"?")));
}

absl::Status ProtoReader::Wrong(const YamlNode& node, const std::string& where,
                                std::string_view expected) const {
  // The value is not repeated: it may be a secret in the wrong place.
  const std::string what = where.empty() ? "the document" : where;
  if (node.is_null()) {
    return YamlError(file_, node.line,
                     absl::StrCat(what, " has no value: expected ", ToAbsl(expected)));
  }
  return YamlError(file_, node.line, absl::StrCat(what, ": expected ", ToAbsl(expected)));
}

}  // namespace sallyport
