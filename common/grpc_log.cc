#include "common/grpc_log.h"

#include <grpc/support/log.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "common/few_logged.h"
#include "common/log.h"

namespace sallyport {
namespace {

std::string_view FileName(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

void Write(const gpr_log_func_args& line, std::uint64_t unlogged) {
  const LogLevel level =
      line.severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kInfo;
  Log(level, "grpc",
      {{"file", FileName(line.file)},
       {"line", line.line},
       {"message", line.message},
       {"unlogged", unlogged}});
}

void AllAsJson(gpr_log_func_args* line) { Write(*line, 0); }

void FewAsJson(gpr_log_func_args* line) {
  static FewLogged few;
  if (const auto unlogged = few.Note()) Write(*line, *unlogged);
}

void Nothing(gpr_log_func_args*) {}

bool IsVerbose() { return std::getenv("GRPC_VERBOSITY") != nullptr; }

}  // namespace

void LogGrpcAsJson() { gpr_set_log_function(IsVerbose() ? AllAsJson : FewAsJson); }

void SilenceGrpc() {
  if (!IsVerbose()) gpr_set_log_function(Nothing);
}

}  // namespace sallyport
