#include "agent/upstream/answer_head.h"

#include <string_view>

#include "agent/upstream/upstream_error.h"

namespace sallyport::agent {
namespace {

bool HasType(const HttpResponse& response, std::string_view type) {
  return IsMediaType(response.fields.Find("content-type").value_or(""), type);
}

}  // namespace

absl::Status CheckSuccess(const HttpResponse& response) {
  if (response.status < 200 || response.status > 299) return HttpStatusError(response.status);
  if (IsEncoded(response))
    return UpstreamInvalid("the server encoded its answer although it was told not to");
  return absl::OkStatus();
}

bool IsEncoded(const HttpResponse& response) {
  const auto encoding = response.fields.Find("content-encoding");
  return encoding && *encoding != "identity";
}

bool IsEventStream(const HttpResponse& response) { return HasType(response, "text/event-stream"); }
bool IsJson(const HttpResponse& response) { return HasType(response, "application/json"); }

}  // namespace sallyport::agent
