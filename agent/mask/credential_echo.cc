#include "agent/mask/credential_echo.h"

#include <openssl/crypto.h>

#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "agent/mask/literal_search.h"
#include "agent/mcp/json_text.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMinBytes = 4;
constexpr std::size_t kMinEncodedBytes = 8;

// All spellings of one credential. Wiped when it goes.
class Spellings {
 public:
  ~Spellings() {
    for (Spelling& spelling : spellings_)
      OPENSSL_cleanse(spelling.text.data(), spelling.text.size());
  }

  void AddAll(const std::string& credential) {
    // An escaped spelling grows: what the vector or a string gives back on the way would not be
    // wiped.
    Add(credential, false);
    std::string escaped;
    AppendJsonEscaped(escaped, credential);
    if (escaped != credential) Add(std::move(escaped), false);
    if (credential.size() < kMinEncodedBytes) return;
    for (std::size_t offset = 0; offset < 3; ++offset) AddBase64(credential, offset);
    AddPercent(credential);
    Add(ToHex(credential), true);
  }

  std::vector<LiteralSearch::Literal> literals() const {
    std::vector<LiteralSearch::Literal> literals;
    for (const Spelling& spelling : spellings_)
      literals.push_back({spelling.text, spelling.ignores_case});
    return literals;
  }

 private:
  struct Spelling {
    std::string text;
    bool ignores_case = false;
  };

  void Add(std::string text, bool ignores_case) {
    if (spellings_.capacity() == spellings_.size()) spellings_.reserve(spellings_.size() + 16);
    spellings_.push_back({std::move(text), ignores_case});
  }

  // The characters that the credential alone decides when `offset` bytes stand before it in their
  // group of three.
  void AddBase64(const std::string& credential, std::size_t offset) {
    std::string padded(offset, '\0');
    padded.append(credential);
    std::string encoded = absl::Base64Escape(padded);
    const std::size_t first = (offset * 8 + 5) / 6;
    const std::size_t end = padded.size() * 8 / 6;
    std::string text = encoded.substr(first, end - first);
    std::string url_text = text;
    for (char& c : url_text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    if (url_text != text) Add(std::move(url_text), false);
    Add(std::move(text), false);
    OPENSSL_cleanse(padded.data(), padded.size());
    OPENSSL_cleanse(encoded.data(), encoded.size());
  }

  // Once with all but the unreserved characters encoded, once with everything.
  void AddPercent(const std::string& credential) {
    std::string some;
    std::string all;
    for (const char c : credential) {
      const std::string encoded = "%" + ToHex(std::string_view(&c, 1));
      all.append(encoded);
      const bool is_unreserved = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
                                 c == '_' || c == '.' || c == '~';
      if (is_unreserved) {
        some.push_back(c);
      } else {
        some.append(encoded);
      }
    }
    if (some != credential) Add(std::move(some), true);
    Add(std::move(all), true);
  }

  std::vector<Spelling> spellings_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const CredentialEcho>> CredentialEcho::Create(
    absl::Span<const std::string> credentials) {
  Spellings spellings;
  for (const std::string& credential : credentials) {
    if (credential.size() < kMinBytes) {
      return absl::InvalidArgumentError("a credential is too short to be told from other text");
    }
    spellings.AddAll(credential);
  }
  std::unique_ptr<const LiteralSearch> needles;
  if (!credentials.empty()) {
    ASSIGN_OR_RETURN(needles, LiteralSearch::Compile(spellings.literals()));
  }
  return std::shared_ptr<const CredentialEcho>(new CredentialEcho(std::move(needles)));
}

CredentialEcho::CredentialEcho(std::unique_ptr<const LiteralSearch> needles)
    : needles_(std::move(needles)) {}
CredentialEcho::~CredentialEcho() = default;

absl::Status CredentialEcho::Find(
    std::string_view text, SearchScratch& scratch,
    absl::FunctionRef<void(std::size_t begin, std::size_t end)> on_echo) const {
  if (needles_ == nullptr) return absl::OkStatus();
  return needles_->Find(text, scratch, [&](std::size_t needle, std::size_t begin) {
    on_echo(begin, begin + needles_->SizeOf(needle));
  });
}

}  // namespace sallyport::agent
