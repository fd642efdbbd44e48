#include "common/protobuf_log.h"

#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/few_recorded.h"
#include "common/log.h"

namespace sallyport {
namespace {

// How many were left out before this one, if it is to be told.
std::optional<std::uint64_t> NoteOne() {
  static std::mutex mutex;
  static FewRecorded few;
  const std::lock_guard lock(mutex);
  return few.Note(SystemClock().SinceBoot());
}

void AsJson(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
            const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_FATAL) {
    LogError("protobuf", {{"message", message}});
  } else if (const auto unlogged = NoteOne()) {
    LogWarning("protobuf", {{"message", message}, {"unlogged", *unlogged}});
  }
}

void OnlyFatal(google::protobuf::LogLevel level, const char* file, int line,
               const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_FATAL) AsJson(level, file, line, message);
}

}  // namespace

void LogProtobufAsJson() { google::protobuf::SetLogHandler(AsJson); }

void SilenceProtobuf() { google::protobuf::SetLogHandler(OnlyFatal); }

}  // namespace sallyport
