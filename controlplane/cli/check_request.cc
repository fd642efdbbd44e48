#include "controlplane/cli/check_request.h"

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "controlplane/model/request_limits.h"

namespace sallyport::controlplane {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status CheckText(const FieldDescriptor& field, const std::string& text) {
  if (IsUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field.name(), " is not UTF-8"));
}

absl::Status CheckTexts(const Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int size = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (field->type() == FieldDescriptor::TYPE_STRING) {
        RETURN_IF_ERROR(CheckText(*field, field->is_repeated()
                                              ? reflection.GetRepeatedString(message, field, i)
                                              : reflection.GetString(message, field)));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        RETURN_IF_ERROR(CheckTexts(field->is_repeated()
                                       ? reflection.GetRepeatedMessage(message, field, i)
                                       : reflection.GetMessage(message, field)));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRequest(const Message& request) {
  RETURN_IF_ERROR(CheckTexts(request));
  if (request.ByteSizeLong() <= static_cast<std::size_t>(kMaxPeopleMessageBytes)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("the request has ", request.ByteSizeLong(), " bytes, and one may have ",
                   kMaxPeopleMessageBytes, " (8 MiB): ask for less at a time"));
}

}  // namespace sallyport::controlplane
