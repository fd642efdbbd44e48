#include "common/redact.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/value.h"
#include "sallyport/options/v1/sensitivity.pb.h"

namespace sallyport {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

Value SizeOf(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  if (field.is_repeated())
    return Value::String(absl::StrCat("<", reflection.FieldSize(message, &field), " items>"));
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return Value::String(
        absl::StrCat("<", reflection.GetString(message, &field).size(), " bytes>"));
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return Value::String(
        absl::StrCat("<", reflection.GetMessage(message, &field).ByteSizeLong(), " bytes>"));
  }
  return Value::String("<sensitive>");
}

std::optional<Value> Redact(const Message& message, const FieldDescriptor& field) {
  switch (field.options().GetExtension(options::v1::sensitivity)) {
    case options::v1::PUBLIC:
      return std::nullopt;
    case options::v1::SENSITIVE:
      return SizeOf(message, field);
    default:
      return Value::String("<secret>");
  }
}

}  // namespace

std::string RedactedJson(const Message& message) {
  // Zeros are left out: whether a number is 0 would tell something about a field that is not
  // public.
  std::string json;
  WriteJson(ToValue(message, {.omits_zeros = true}, Redact), /*is_pretty=*/false, &json);
  return json;
}

}  // namespace sallyport
