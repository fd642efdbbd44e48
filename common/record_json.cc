#include "common/record_json.h"

namespace sallyport {

Value RecordValue(const types::v1::Record& record) {
  Value value = ToValue(record, {});
  for (Value::Member& member : value.members) {
    if (member.name == kRecordTimeMember) member.value = Value::String(member.value.text);
  }
  types::v1::RecordContent content;
  if (content.ParseFromString(record.payload())) {
    if (!content.body().empty()) value.members.push_back({"body", Value::String(content.body())});
    content.clear_body();
    value.members.push_back({"content", ToValue(content, {})});
  }
  return value;
}

std::string RecordJson(const types::v1::Record& record) {
  std::string out;
  WriteJson(RecordValue(record), /*is_pretty=*/false, &out);
  return out;
}

}  // namespace sallyport
