#include "common/nearest_words.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sallyport {
namespace {

constexpr std::size_t kMostWords = 3;

// Letters that are put in, left out or exchanged (Levenshtein).
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t exchanged = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, exchanged});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> NearestWords(std::string_view word,
                                      const std::vector<std::string>& words) {
  const std::size_t far = word.size() < 4 ? 2 : 3;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& candidate : words) {
    const bool is_begin =
        !word.empty() && (candidate.starts_with(word) || word.starts_with(candidate));
    const std::size_t distance = is_begin ? 0 : Distance(word, candidate);
    if (distance < far) near.emplace_back(distance, candidate);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> nearest;
  for (auto& [distance, candidate] : near) {
    if (nearest.size() < kMostWords) nearest.push_back(std::move(candidate));
  }
  return nearest;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& words) {
  const std::vector<std::string> nearest = NearestWords(word, words);
  if (nearest.empty()) return {};
  return absl::StrCat("; did you mean ", absl::StrJoin(nearest, " or "), "?");
}

}  // namespace sallyport
