#include "agent/call/request_state.h"

#include <openssl/evp.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/call/call_digests.h"
#include "agent/mcp/modern_request.h"
#include "common/denial.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// AES-256-GCM. The nonce is also what the round is known by.
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::uint32_t kMaxRounds = 255;
constexpr std::string_view kPrefix = "sp1.";

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

void AppendSized(std::string& out, std::string_view part) {
  const auto size = static_cast<std::uint32_t>(part.size());
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(size >> shift));
  out.append(part);
}

// Everything that the retry must share with the call.
absl::StatusOr<std::string> Binding(const ServedSession& session, const ClientMessage& message) {
  ASSIGN_OR_RETURN(const std::string digest, OperationDigest(session, message));
  std::string binding;
  for (std::string_view part :
       {std::string_view(session.id()), std::string_view(session.principal_key()),
        std::string_view(message.method), std::string_view(message.target),
        std::string_view(digest)}) {
    AppendSized(binding, part);
  }
  return binding;
}

std::string Encode(const Continuation& continuation) {
  std::string plain;
  plain.push_back(static_cast<char>(std::min(continuation.rounds, kMaxRounds)));
  plain.push_back(continuation.is_counted ? 1 : 0);
  AppendSized(plain, continuation.approval_id);
  AppendSized(plain, continuation.call_id);
  AppendSized(plain, continuation.server_state);
  for (const std::string& key : continuation.asked) AppendSized(plain, key);
  return plain;
}

bool TakeSized(std::string_view& rest, std::string& part) {
  if (rest.size() < 4) return false;
  std::uint32_t size = 0;
  for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(rest[i]);
  rest.remove_prefix(4);
  if (size > rest.size()) return false;
  part = std::string(rest.substr(0, size));
  rest.remove_prefix(size);
  return true;
}

bool Decode(std::string_view plain, Continuation& continuation) {
  if (plain.size() < 2) return false;
  continuation.rounds = static_cast<unsigned char>(plain[0]);
  continuation.is_counted = plain[1] != 0;
  plain.remove_prefix(2);
  if (!TakeSized(plain, continuation.approval_id) || !TakeSized(plain, continuation.call_id) ||
      !TakeSized(plain, continuation.server_state)) {
    return false;
  }
  while (!plain.empty()) {
    if (!TakeSized(plain, continuation.asked.emplace_back())) return false;
  }
  return true;
}

absl::StatusOr<std::string> Encrypt(const std::string& key, std::string_view nonce,
                                    std::string_view binding, std::string_view plain) {
  const Cipher cipher(EVP_CIPHER_CTX_new());
  std::string sealed(plain.size() + kTagBytes, '\0');
  int size = 0;
  const bool is_done =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, Bytes(binding),
                        static_cast<int>(binding.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), Bytes(sealed), &size, Bytes(plain),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), Bytes(sealed) + size, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                          Bytes(sealed) + plain.size()) == 1;
  if (!is_done) return absl::InternalError("the request state cannot be sealed");
  return sealed;
}

bool Decrypt(const std::string& key, std::string_view nonce, std::string_view binding,
             std::string_view sealed, std::string& plain) {
  const Cipher cipher(EVP_CIPHER_CTX_new());
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  sealed.remove_suffix(kTagBytes);
  plain.assign(sealed.size(), '\0');
  int size = 0;
  return EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce)) ==
             1 &&
         EVP_DecryptUpdate(cipher.get(), nullptr, &size, Bytes(binding),
                           static_cast<int>(binding.size())) == 1 &&
         EVP_DecryptUpdate(cipher.get(), Bytes(plain), &size, Bytes(sealed),
                           static_cast<int>(sealed.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(cipher.get(), Bytes(plain) + size, &size) == 1;
}

// The nonce and what is sealed, of a JSON string. A state of ours needs no escapes, so what stands
// between the quotes is the text.
bool Unwrap(std::string_view text, std::string& raw) {
  if (text.size() < 2 || !text.substr(1).starts_with(kPrefix)) return false;
  text = text.substr(1 + kPrefix.size(), text.size() - 2 - kPrefix.size());
  return absl::WebSafeBase64Unescape(ToAbsl(text), &raw) &&
         absl::WebSafeBase64Escape(raw) == ToAbsl(text) && raw.size() >= kNonceBytes + kTagBytes;
}

}  // namespace

absl::StatusOr<std::string> SealRequestState(ServedSession& session, const ClientMessage& message,
                                             const Continuation& continuation, absl::Duration now) {
  ASSIGN_OR_RETURN(const std::string binding, Binding(session, message));
  const std::string nonce = RandomBytes(kNonceBytes);
  ASSIGN_OR_RETURN(const std::string sealed,
                   Encrypt(session.state_key, nonce, binding, Encode(continuation)));
  session.rounds.Open(nonce, continuation.call_id, now + session.live().idle_timeout());
  return absl::StrCat(ToAbsl(kPrefix), absl::WebSafeBase64Escape(nonce + sealed));
}

absl::StatusOr<Continuation> OpenRequestState(ServedSession& session,
                                              const ClientMessage& message) {
  const absl::Status refused = Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                                      "Invalid requestState: it is of another call, has been "
                                      "used, or is too old; call again without it");
  const Span at = message.modern.request_state;
  std::string raw;
  if (!Unwrap(std::string_view(message.bytes).substr(at.begin, at.size()), raw)) return refused;
  const std::string nonce = raw.substr(0, kNonceBytes);
  ASSIGN_OR_RETURN(const std::string binding, Binding(session, message));
  std::string plain;
  Continuation continuation;
  if (!Decrypt(session.state_key, nonce, binding, std::string_view(raw).substr(kNonceBytes),
               plain) ||
      !Decode(plain, continuation)) {
    return refused;
  }
  const auto was_asked = [&](std::string_view key) {
    return std::binary_search(continuation.asked.begin(), continuation.asked.end(), key,
                              std::less<>());
  };
  if (!AnswersOnly(message, was_asked)) {
    return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                  "Invalid inputResponses: the server has not asked for all of them; call again "
                  "with those that it has asked for");
  }
  if (!session.rounds.Take(nonce)) return refused;
  ++continuation.rounds;
  continuation.nonce = nonce;
  return continuation;
}

void ReopenRound(ServedSession& session, const Continuation& continuation, absl::Duration now) {
  session.rounds.Open(continuation.nonce, continuation.call_id,
                      now + session.live().idle_timeout());
}

void GiveUpRequestState(ServedSession& session, std::string_view state) {
  std::string raw;
  if (Unwrap(state, raw)) session.rounds.GiveUp(std::string_view(raw).substr(0, kNonceBytes));
}

}  // namespace sallyport::agent
