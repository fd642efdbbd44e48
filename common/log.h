#pragma once

#include <google/protobuf/message.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sallyport {

enum class LogLevel { kInfo, kWarning, kError };

// One member of a log line. Never give it a secret: strings are printed as they are. A message is
// printed as redact.h says.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value);
  LogField(std::string_view key, const std::string& value)
      : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, bool value);
  LogField(std::string_view key, std::integral auto value)
      : LogField(key, Raw{std::to_string(value)}) {}
  LogField(std::string_view key, absl::Duration value);
  LogField(std::string_view key, absl::Time value);
  // {"code","message","reason"?,"detail"?}
  LogField(std::string_view key, const absl::Status& value);
  LogField(std::string_view key, const google::protobuf::Message& value);

  // An object of its own: LogField::Object("listen", {{"mcp", address}}).
  static LogField Object(std::string_view key, std::initializer_list<LogField> members);

  std::string_view key() const { return key_; }
  // The value as JSON.
  std::string_view json() const { return json_; }

 private:
  struct Raw {
    std::string json;
  };
  LogField(std::string_view key, Raw value) : key_(key), json_(std::move(value.json)) {}

  std::string key_;
  std::string json_;
};

// Writes one line of JSON to stderr, in one piece: {"event":...,"time":...,"level":..., fields in
// order}. `event` is snake_case and fixed, what varies goes into fields. Thread-safe; a reader that
// is gone or slow is not waited for beyond one write.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
inline void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarning(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, event, fields);
}
inline void LogError(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

// The line that Log writes, with its line break.
std::string FormatLogLine(absl::Time time, LogLevel level, std::string_view event,
                          std::initializer_list<LogField> fields);

}  // namespace sallyport
