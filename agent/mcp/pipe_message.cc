#include "agent/mcp/pipe_message.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"

namespace sallyport::agent {
namespace {

struct Edit {
  Span at;
  std::string_view text;
};

// Those with a place, front to back.
template <std::size_t N>
std::string Spliced(std::string_view bytes, std::array<Edit, N> edits) {
  std::ranges::sort(edits, {}, [](const Edit& edit) { return edit.at.begin; });
  Splicer splicer(bytes);
  for (const Edit& edit : edits) {
    if (!edit.at.empty()) splicer.Replace(edit.at.begin, edit.at.end, edit.text);
  }
  return splicer.Finish();
}

}  // namespace

std::string ToPipe(const ClientMessage& request, std::uint64_t number) {
  const std::string literal = absl::StrCat(number);
  return Spliced(request.bytes,
                 std::array<Edit, 2>{{{request.id_at, literal}, {request.token_at, literal}}});
}

absl::StatusOr<UpstreamMessage> FromPipe(UpstreamMessage message, std::string_view id,
                                         std::string_view progress_token) {
  std::string bytes = Spliced(
      message.bytes,
      std::array<Edit, 3>{{{message.shape == Shape::kResponse ? message.id_at : Span{}, id},
                           {progress_token.empty() ? Span{} : message.token_at, progress_token},
                           {message.subscription_at, id}}});
  return ScanAgain(std::move(bytes), message);
}

std::string CancelledOnPipe(std::uint64_t number) {
  return CancelledNotification(absl::StrCat(number), "the client has closed its stream").bytes;
}

}  // namespace sallyport::agent
