#include "common/log.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/operator_detail.h"
#include "common/redact.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport {
namespace {

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

void AppendMembers(std::initializer_list<LogField> fields, std::string* out) {
  bool is_first = out->ends_with('{');
  for (const LogField& field : fields) {
    if (!is_first) *out += ',';
    is_first = false;
    AppendJsonString(field.key(), out);
    *out += ':';
    *out += field.json();
  }
}

std::string StatusJson(const absl::Status& status) {
  std::string json = "{\"code\":";
  AppendJsonString(absl::StatusCodeToString(status.code()), &json);
  json += ",\"message\":";
  AppendJsonString(ToStd(status.message()), &json);
  if (const std::string_view reason = ReasonName(ReasonOf(status)); !reason.empty()) {
    json += ",\"reason\":";
    AppendJsonString(reason, &json);
  }
  if (const std::string detail = OperatorDetailOf(status); !detail.empty()) {
    json += ",\"detail\":";
    AppendJsonString(detail, &json);
  }
  json += '}';
  return json;
}

}  // namespace

LogField::LogField(std::string_view key, std::string_view value)
    : LogField(key, Raw{JsonString(value)}) {}
LogField::LogField(std::string_view key, bool value)
    : LogField(key, Raw{value ? "true" : "false"}) {}
LogField::LogField(std::string_view key, absl::Duration value)
    : LogField(key, Raw{JsonString(absl::FormatDuration(value))}) {}
LogField::LogField(std::string_view key, absl::Time value)
    : LogField(key, Raw{JsonString(TimeText(value))}) {}
LogField::LogField(std::string_view key, const absl::Status& value)
    : LogField(key, Raw{StatusJson(value)}) {}
LogField::LogField(std::string_view key, const google::protobuf::Message& value)
    : LogField(key, Raw{RedactedJson(value)}) {}

LogField LogField::Object(std::string_view key, std::initializer_list<LogField> members) {
  std::string json = "{";
  AppendMembers(members, &json);
  json += '}';
  return LogField(key, Raw{std::move(json)});
}

std::string FormatLogLine(absl::Time time, LogLevel level, std::string_view event,
                          std::initializer_list<LogField> fields) {
  std::string line = "{";
  AppendMembers({{"event", event}, {"time", time}, {"level", LevelName(level)}}, &line);
  AppendMembers(fields, &line);
  line += "}\n";
  return line;
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  const std::string line = FormatLogLine(absl::Now(), level, event, fields);
  // One write for each line: lines of several threads do not mix, and there is no buffer to lose.
  // Nobody could be told of a failure.
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace sallyport
