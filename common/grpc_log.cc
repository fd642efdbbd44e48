#include "common/grpc_log.h"

#include <grpc/support/log.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "common/log.h"

namespace sallyport {
namespace {

std::string_view FileName(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

void AsJson(gpr_log_func_args* line) {
  const LogLevel level =
      line->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kInfo;
  Log(level, "grpc",
      {{"file", FileName(line->file)}, {"line", line->line}, {"message", line->message}});
}

void Nothing(gpr_log_func_args*) {}

}  // namespace

void LogGrpcAsJson() { gpr_set_log_function(AsJson); }

void SilenceGrpc() {
  if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function(Nothing);
}

}  // namespace sallyport
