#include "agent/mask/credential_echo.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/mask/literal_search.h"
#include "agent/mask/skeleton.h"
#include "agent/mcp/json_text.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMinBytes = 4;
constexpr std::size_t kMinEncodedBytes = 8;
constexpr std::size_t kMinSkeleton = 12;

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

// The characters that the credential alone decides when `offset` bytes stand before it in their
// group.
std::string Encoded(std::string_view credential, std::size_t offset, std::string_view alphabet) {
  const std::size_t width = alphabet.size() == 64 ? 6 : 5;
  const std::size_t first = (offset * 8 + width - 1) / width;
  const std::size_t end = (offset + credential.size()) * 8 / width;
  std::string out;
  out.reserve(end - first);
  for (std::size_t i = first; i < end; ++i) {
    unsigned value = 0;
    for (std::size_t bit = i * width; bit < (i + 1) * width; ++bit) {
      const auto byte = static_cast<unsigned char>(credential[bit / 8 - offset]);
      value = value << 1 | (byte >> (7 - bit % 8) & 1);
    }
    out.push_back(alphabet[value]);
  }
  return out;
}

// Spellings of credentials. Wiped when they go.
class Spellings {
 public:
  ~Spellings() {
    for (LiteralText& spelling : spellings_)
      OPENSSL_cleanse(spelling.text.data(), spelling.text.size());
  }

  bool empty() const { return spellings_.empty(); }

  // `text` must have been reserved: what a string gives back when it grows is not wiped.
  void Add(std::string text, bool ignores_case) {
    if (spellings_.capacity() == spellings_.size()) spellings_.reserve(spellings_.size() + 32);
    spellings_.push_back({std::move(text), ignores_case});
  }

  std::vector<LiteralSearch::Literal> literals() const {
    std::vector<LiteralSearch::Literal> literals;
    for (const LiteralText& spelling : spellings_)
      literals.push_back({spelling.text, spelling.ignores_case});
    return literals;
  }

 private:
  struct LiteralText {
    std::string text;
    bool ignores_case = false;
  };
  std::vector<LiteralText> spellings_;
};

std::string SkeletonOf(std::string text) {
  std::string memory;
  const std::string_view skeleton = MakeSkeleton(text, memory);
  OPENSSL_cleanse(text.data(), text.size());
  std::string out(skeleton);
  OPENSSL_cleanse(memory.data(), memory.size());
  return out;
}

void AddSkeletons(const std::string& credential, Spellings& spellings) {
  spellings.Add(SkeletonOf(credential), false);
  spellings.Add(SkeletonOf(std::string(credential.rbegin(), credential.rend())), false);
  spellings.Add(SkeletonOf(ToHex(credential)), false);
  std::string codes;
  codes.reserve(credential.size() * 3);
  for (const char c : credential) absl::StrAppend(&codes, static_cast<unsigned char>(c));
  spellings.Add(std::move(codes), false);
  const auto add_encoded = [&](std::size_t offset, std::string_view alphabet) {
    std::string skeleton = SkeletonOf(Encoded(credential, offset, alphabet));
    if (skeleton.size() >= kMinSkeleton) spellings.Add(std::move(skeleton), false);
  };
  for (std::size_t offset = 0; offset < 3; ++offset) add_encoded(offset, kBase64);
  for (std::size_t offset = 0; offset < 5; ++offset) add_encoded(offset, kBase32);
}

// Once with all but the unreserved characters encoded, once with everything.
void AddPercent(const std::string& credential, Spellings& spellings) {
  std::string some;
  std::string all;
  some.reserve(credential.size() * 3);
  all.reserve(credential.size() * 3);
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
  if (some != credential) spellings.Add(std::move(some), true);
  spellings.Add(std::move(all), true);
}

void AddExact(const std::string& credential, Spellings& spellings) {
  spellings.Add(credential, false);
  std::string escaped;
  escaped.reserve(credential.size() * 6);
  AppendJsonEscaped(escaped, credential);
  if (escaped != credential) spellings.Add(std::move(escaped), false);
  if (credential.size() < kMinEncodedBytes) return;
  for (std::size_t offset = 0; offset < 3; ++offset) {
    std::string text = Encoded(credential, offset, kBase64);
    std::string url_text = text;
    for (char& c : url_text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    if (url_text != text) spellings.Add(std::move(url_text), false);
    spellings.Add(std::move(text), false);
  }
  AddPercent(credential, spellings);
  spellings.Add(ToHex(credential), true);
}

absl::StatusOr<std::unique_ptr<const LiteralSearch>> SearchFor(const Spellings& spellings) {
  if (spellings.empty()) return nullptr;
  ASSIGN_OR_RETURN(auto search, LiteralSearch::Compile(spellings.literals()));
  return std::unique_ptr<const LiteralSearch>(std::move(search));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const CredentialEcho>> CredentialEcho::Create(
    absl::Span<const std::string> credentials) {
  Spellings exact;
  Spellings skeletons;
  for (const std::string& credential : credentials) {
    if (credential.size() < kMinBytes) {
      return absl::InvalidArgumentError("a credential is too short to be told from other text");
    }
    const auto kept = std::count_if(credential.begin(), credential.end(), absl::ascii_isalnum);
    if (static_cast<std::size_t>(kept) < kMinSkeleton) {
      AddExact(credential, exact);
    } else {
      AddSkeletons(credential, skeletons);
    }
  }
  ASSIGN_OR_RETURN(auto exact_search, SearchFor(exact));
  ASSIGN_OR_RETURN(auto skeleton_search, SearchFor(skeletons));
  return std::shared_ptr<const CredentialEcho>(
      new CredentialEcho(std::move(exact_search), std::move(skeleton_search)));
}

CredentialEcho::CredentialEcho(std::unique_ptr<const LiteralSearch> exact,
                               std::unique_ptr<const LiteralSearch> skeletons)
    : exact_(std::move(exact)), skeletons_(std::move(skeletons)) {}
CredentialEcho::~CredentialEcho() = default;

absl::Status CredentialEcho::Find(
    std::string_view text, SearchScratch& scratch, std::string& memory,
    absl::FunctionRef<void(std::size_t begin, std::size_t end)> on_echo) const {
  if (exact_ != nullptr) {
    RETURN_IF_ERROR(exact_->Find(text, scratch, [&](std::size_t needle, std::size_t begin) {
      on_echo(begin, begin + exact_->SizeOf(needle));
    }));
  }
  if (skeletons_ == nullptr) return absl::OkStatus();
  std::vector<std::uint32_t> offsets;  // made when there is something to find
  return skeletons_->Find(
      MakeSkeleton(text, memory), scratch, [&](std::size_t needle, std::size_t begin) {
        if (offsets.empty()) offsets = SkeletonOffsets(text);
        on_echo(offsets[begin], offsets[begin + skeletons_->SizeOf(needle) - 1] + 1);
      });
}

}  // namespace sallyport::agent
