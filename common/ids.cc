#include "common/ids.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "common/random.h"

namespace sallyport {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kLength = 26;

std::string NewId(std::string_view prefix) {
  std::string id(prefix);
  // Five bits of each byte: 32 divides 256, so every character is equally likely.
  for (char byte : RandomBytes(kLength)) id += kAlphabet[static_cast<unsigned char>(byte) % 32];
  return id;
}

}  // namespace

std::string NewSessionId() { return NewId("ses_"); }
std::string NewApprovalId() { return NewId("apr_"); }
std::string NewRecordId() { return NewId("rec_"); }
std::string NewRequestId() { return NewId(""); }

bool IsId(std::string_view id, std::string_view prefix) {
  if (!id.starts_with(prefix)) return false;
  id.remove_prefix(prefix.size());
  return id.size() == kLength && std::all_of(id.begin(), id.end(), [](char c) {
           return kAlphabet.find(c) != std::string_view::npos;
         });
}

std::string NewRandomToken(std::size_t random_bytes) {
  return absl::WebSafeBase64Escape(RandomBytes(random_bytes));
}

}  // namespace sallyport
