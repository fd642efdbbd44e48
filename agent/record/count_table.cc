#include "agent/record/count_table.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

// Of all that a policy may say.
constexpr absl::Duration kLongestWithin = absl::Hours(24);
// A shorter file is not worth writing anew.
constexpr std::size_t kShortFile = 4096;

CountKey KeyOf(std::string_view name) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data());
  CountKey key;
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

CountedCall ToCounted(const CountTable::Kept& kept, absl::Time at) {
  const CallLimit reach = kept.calls.reach();
  return {.key = kept.key, .at = at, .within = reach.within, .calls = reach.calls};
}

}  // namespace

CountTable::CountTable(CountFile file, const Clock& clock)
    : file_(std::move(file)), shorten_at_(kShortFile), clock_(&clock) {}

absl::StatusOr<CountTable> CountTable::Open(std::string path, const Clock& clock) {
  std::vector<CountedCall> calls;
  ASSIGN_OR_RETURN(CountFile file, CountFile::Open(std::move(path), calls));
  CountTable table(std::move(file), clock);
  for (const CountedCall& call : calls) table.TakeUp(call);
  return table;
}

// Its time is the wall clock's, for the one that the counts go by may have begun anew. What the
// wall clock holds to be yet to come went out just now.
void CountTable::TakeUp(const CountedCall& call) {
  const absl::Duration ago = std::max(clock_->Now() - call.at, absl::ZeroDuration());
  if (ago >= call.within) return;
  std::shared_ptr<Kept>& kept = counts_[call.key];
  if (kept == nullptr) kept = std::make_shared<Kept>(Kept{.key = call.key});
  kept->calls.TakeUp(clock_->SinceBoot() - ago, {.calls = call.calls, .within = call.within});
}

bool CountTable::Has(std::string_view name) const { return counts_.contains(KeyOf(name)); }

std::shared_ptr<CountTable::Kept> CountTable::Of(std::string_view name) {
  const CountKey key = KeyOf(name);
  std::shared_ptr<Kept>& kept = counts_[key];
  if (kept == nullptr) kept = std::make_shared<Kept>(Kept{.key = key});
  return kept;
}

absl::Status CountTable::Begin(Kept& first, Kept& second, absl::Duration now,
                               absl::Span<const CallLimit> limits) {
  for (Kept* kept : {&first, &second}) kept->calls.Begin(now, limits);
  const absl::Time at = clock_->Now();
  absl::Status added;
  if (first.calls.reach().calls > 0 || second.calls.reach().calls > 0) {
    added = file_.Add({ToCounted(first, at), ToCounted(second, at)});
  }
  if (!added.ok()) {
    for (Kept* kept : {&first, &second}) kept->calls.TakeBack(now);
    if (!is_failing_) LogError("calls_not_counted", {{"error", added}});
  }
  is_failing_ = !added.ok();
  return added;
}

void CountTable::Sweep() {
  const absl::Duration now = clock_->SinceBoot();
  std::erase_if(counts_, [&](const auto& entry) {
    const std::shared_ptr<Kept>& kept = entry.second;
    return kept.use_count() == 1 && kept->calls.IsForgotten(now, kLongestWithin);
  });
  if (file_.size() >= shorten_at_) Shorten();
}

void CountTable::Shorten() {
  const absl::Duration now = clock_->SinceBoot();
  std::size_t looked_at = 0;
  for (const auto& [key, kept] : counts_) looked_at += kept->calls.begun().size();
  shorten_at_ = std::max(file_.size() + kShortFile, 2 * looked_at);
  if (file_.size() < 2 * looked_at) return;
  std::vector<CountedCall> calls;
  calls.reserve(looked_at);
  for (const auto& [key, kept] : counts_) {
    for (const absl::Duration begun : kept->calls.begun()) {
      calls.push_back(ToCounted(*kept, clock_->Now() - (now - begun)));
    }
  }
  if (absl::Status replaced = file_.Replace(calls); !replaced.ok()) {
    LogError("call_counts_not_shortened", {{"error", replaced}});
    return;
  }
  shorten_at_ = std::max(kShortFile, 2 * looked_at);
}

}  // namespace sallyport::agent
