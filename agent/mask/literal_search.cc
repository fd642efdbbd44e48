#include "agent/mask/literal_search.h"

#include <hs/hs.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <utility>

#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

// Databases may hold credentials: their memory is wiped before it is given back.
void FreeWiped(void* memory) {
  if (memory == nullptr) return;
  OPENSSL_cleanse(memory, malloc_usable_size(memory));
  std::free(memory);
}

bool UseWipingAllocator() {
  static const bool is_set = hs_set_database_allocator(&std::malloc, &FreeWiped) == HS_SUCCESS;
  return is_set;
}

// Searches come and go with sessions; those that go are forgotten.
constexpr std::size_t kMaxFitted = 64;

struct HitContext {
  const std::vector<std::size_t>* sizes;
  absl::FunctionRef<void(std::size_t, std::size_t)> on_hit;
};

int OnHit(unsigned id, unsigned long long, unsigned long long end, unsigned, void* opaque) {
  auto* context = static_cast<HitContext*>(opaque);
  context->on_hit(id, static_cast<std::size_t>(end) - (*context->sizes)[id]);
  return 0;
}

}  // namespace

SearchScratch::~SearchScratch() { hs_free_scratch(scratch_); }

absl::StatusOr<std::unique_ptr<LiteralSearch>> LiteralSearch::Compile(
    const std::vector<Literal>& literals) {
  if (hs_valid_platform() != HS_SUCCESS) {
    return absl::FailedPreconditionError("masking needs a processor with SSSE3");
  }
  if (!UseWipingAllocator()) return absl::InternalError("hyperscan takes no allocator");
  std::vector<const char*> texts;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  std::vector<std::size_t> sizes;
  for (const Literal& literal : literals) {
    if (literal.text.empty()) return absl::InternalError("an empty literal");
    texts.push_back(literal.text.data());
    flags.push_back(literal.ignores_case ? HS_FLAG_CASELESS : 0);
    ids.push_back(static_cast<unsigned>(ids.size()));
    sizes.push_back(literal.text.size());
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_lit_multi(texts.data(), flags.data(), ids.data(), sizes.data(),
                           static_cast<unsigned>(texts.size()), HS_MODE_BLOCK, nullptr, &database,
                           &error) != HS_SUCCESS) {
    hs_free_compile_error(error);  // its text may quote a literal
    return absl::InternalError("hyperscan refuses the literals");
  }
  return std::unique_ptr<LiteralSearch>(new LiteralSearch(database, std::move(sizes)));
}

LiteralSearch::~LiteralSearch() { hs_free_database(database_); }

std::uint64_t LiteralSearch::NewId() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

absl::Status LiteralSearch::Fit(SearchScratch& scratch) const {
  auto& fitted = scratch.fitted_;
  if (std::find(fitted.begin(), fitted.end(), id_) != fitted.end()) return absl::OkStatus();
  // Grows it where it must; what fitted before still fits.
  if (hs_alloc_scratch(database_, &scratch.scratch_) != HS_SUCCESS) {
    return absl::InternalError("no memory to search with");
  }
  if (fitted.size() == kMaxFitted) fitted.erase(fitted.begin());
  fitted.push_back(id_);
  return absl::OkStatus();
}

absl::Status LiteralSearch::Find(std::string_view text, SearchScratch& scratch,
                                 absl::FunctionRef<void(std::size_t, std::size_t)> on_hit) const {
  if (text.size() > std::numeric_limits<unsigned>::max()) {
    return absl::InternalError("the text is too long to search");
  }
  RETURN_IF_ERROR(Fit(scratch));
  if (text.empty()) return absl::OkStatus();  // a null pointer is an error to hs_scan
  HitContext context{&sizes_, on_hit};
  if (hs_scan(database_, text.data(), static_cast<unsigned>(text.size()), 0, scratch.scratch_,
              &OnHit, &context) != HS_SUCCESS) {
    return absl::InternalError("the search failed");
  }
  return absl::OkStatus();
}

}  // namespace sallyport::agent
