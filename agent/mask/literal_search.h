#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct hs_database;
struct hs_scratch;

namespace sallyport::agent {

// Work memory of a search: one for each thread, for any number of searches.
class SearchScratch {
 public:
  SearchScratch() = default;
  ~SearchScratch();
  SearchScratch(const SearchScratch&) = delete;
  SearchScratch& operator=(const SearchScratch&) = delete;

 private:
  friend class LiteralSearch;
  hs_scratch* scratch_ = nullptr;
  // The searches it has been grown for. Asking Hyperscan whether it fits costs more than a short
  // search.
  std::vector<std::uint64_t> fitted_;
};

// Many literals in one pass (Hyperscan). Immutable, thread-safe. The memory that holds the literals
// is wiped when it goes.
class LiteralSearch {
 public:
  struct Literal {
    std::string_view text;  // at least one byte
    bool ignores_case = false;
  };
  // kFailedPrecondition when this processor cannot run Hyperscan, kInternal when it refuses the
  // literals.
  static absl::StatusOr<std::unique_ptr<LiteralSearch>> Compile(
      const std::vector<Literal>& literals);
  ~LiteralSearch();
  LiteralSearch(const LiteralSearch&) = delete;
  LiteralSearch& operator=(const LiteralSearch&) = delete;

  // Tells `on_hit` the index and the begin of each occurrence, by rising end. kInternal when the
  // search failed: nothing can be said of the text then. `text` at most 4 GiB.
  absl::Status Find(std::string_view text, SearchScratch& scratch,
                    absl::FunctionRef<void(std::size_t literal, std::size_t begin)> on_hit) const;

  std::size_t SizeOf(std::size_t literal) const { return sizes_[literal]; }

 private:
  LiteralSearch(hs_database* database, std::vector<std::size_t> sizes)
      : id_(NewId()), database_(database), sizes_(std::move(sizes)) {}
  static std::uint64_t NewId();
  absl::Status Fit(SearchScratch& scratch) const;

  // Of this run, never given twice: a database's address is.
  std::uint64_t id_;
  hs_database* database_;
  std::vector<std::size_t> sizes_;
};

}  // namespace sallyport::agent
