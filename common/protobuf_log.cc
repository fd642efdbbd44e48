#include "common/protobuf_log.h"

#include <google/protobuf/stubs/logging.h>

#include <string>

#include "common/few_logged.h"
#include "common/log.h"

namespace sallyport {
namespace {

void AsJson(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
            const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_FATAL) {
    LogError("protobuf", {{"message", message}});
    return;
  }
  static FewLogged few;
  if (const auto unlogged = few.Note())
    LogWarning("protobuf", {{"message", message}, {"unlogged", *unlogged}});
}

void OnlyFatal(google::protobuf::LogLevel level, const char* file, int line,
               const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_FATAL) AsJson(level, file, line, message);
}

}  // namespace

void LogProtobufAsJson() { google::protobuf::SetLogHandler(AsJson); }

void SilenceProtobuf() { google::protobuf::SetLogHandler(OnlyFatal); }

}  // namespace sallyport
