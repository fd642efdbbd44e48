#include "controlplane/access/page.h"

#include <algorithm>
#include <charconv>

#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {

absl::StatusOr<int> PageLimit(int32_t page_size) {
  if (page_size < 0) return absl::InvalidArgumentError("page_size is negative");
  return page_size == 0 ? 100 : std::min(page_size, 1000);
}

absl::StatusOr<PageStart> ReadPageToken(const std::string& token) {
  if (token.empty()) return PageStart{};
  int64_t micros = 0;
  const char* end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, micros);
  if (error != std::errc() || rest == end || *rest != '.')
    return absl::InvalidArgumentError("page_token is not one of ours");
  return PageStart{absl::FromUnixMicros(micros), std::string(rest + 1, end)};
}

std::string MakePageToken(const google::protobuf::Timestamp& created_at, const std::string& id) {
  return std::to_string(absl::ToUnixMicros(FromProto(created_at))) + "." + id;
}

}  // namespace sallyport::controlplane
