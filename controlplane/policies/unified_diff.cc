#include "controlplane/policies/unified_diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kContext = 3;
constexpr std::size_t kMostCells = 4'000'000;

using Lines = std::vector<std::string_view>;

// With their line breaks: a last line without one is another line.
Lines LinesOf(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

struct Edit {
  char mark = ' ';  // ' ' in both, '-' out, '+' in
  std::string_view line;
};

// The longest common subsequence of what lies between the common begin and the common end.
class Comparison {
 public:
  Comparison(const Lines& before, const Lines& after) : before_(before), after_(after) {
    const std::size_t shorter = std::min(before.size(), after.size());
    while (begin_ < shorter && before[begin_] == after[begin_]) ++begin_;
    while (end_ < shorter - begin_ &&
           before[before.size() - 1 - end_] == after[after.size() - 1 - end_]) {
      ++end_;
    }
    rows_ = before.size() - begin_ - end_;
    columns_ = after.size() - begin_ - end_;
  }

  std::vector<Edit> Edits() {
    std::vector<Edit> edits;
    for (std::size_t i = 0; i < begin_; ++i) edits.push_back({' ', before_[i]});
    if ((rows_ + 1) * (columns_ + 1) <= kMostCells) {
      Measure();
      Walk(edits);
    } else {
      for (std::size_t i = 0; i < rows_; ++i) edits.push_back({'-', Before(i)});
      for (std::size_t i = 0; i < columns_; ++i) edits.push_back({'+', After(i)});
    }
    for (std::size_t i = 0; i < end_; ++i) edits.push_back({' ', Before(rows_ + i)});
    return edits;
  }

 private:
  std::string_view Before(std::size_t row) const { return before_[begin_ + row]; }
  std::string_view After(std::size_t column) const { return after_[begin_ + column]; }
  // How long the longest common subsequence is from here to the end.
  std::uint32_t& Length(std::size_t row, std::size_t column) {
    return lengths_[row * (columns_ + 1) + column];
  }

  void Measure() {
    lengths_.assign((rows_ + 1) * (columns_ + 1), 0);
    for (std::size_t row = rows_; row-- > 0;) {
      for (std::size_t column = columns_; column-- > 0;) {
        Length(row, column) = Before(row) == After(column)
                                  ? Length(row + 1, column + 1) + 1
                                  : std::max(Length(row + 1, column), Length(row, column + 1));
      }
    }
  }

  void Walk(std::vector<Edit>& edits) {
    std::size_t row = 0;
    std::size_t column = 0;
    while (row < rows_ || column < columns_) {
      if (row < rows_ && column < columns_ && Before(row) == After(column)) {
        edits.push_back({' ', Before(row++)});
        ++column;
      } else if (column == columns_ ||
                 (row < rows_ && Length(row + 1, column) >= Length(row, column + 1))) {
        edits.push_back({'-', Before(row++)});
      } else {
        edits.push_back({'+', After(column++)});
      }
    }
  }

  const Lines& before_;
  const Lines& after_;
  std::size_t begin_ = 0;  // lines that both begin with
  std::size_t end_ = 0;    // ... and end with
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::vector<std::uint32_t> lengths_;
};

// `3,7`: from line 3 on seven lines; `3` for one. An empty range names the line before it.
std::string Range(std::size_t first, std::size_t count) {
  if (count == 1) return absl::StrCat(first + 1);
  return absl::StrCat(count == 0 ? first : first + 1, ",", count);
}

// Edits [begin, end), of which `old_line` and `new_line` come first.
void AppendHunk(const std::vector<Edit>& edits, std::size_t begin, std::size_t end,
                std::size_t old_line, std::size_t new_line, std::string* out) {
  std::size_t olds = 0;
  std::size_t news = 0;
  for (std::size_t i = begin; i < end; ++i) {
    olds += edits[i].mark != '+' ? 1 : 0;
    news += edits[i].mark != '-' ? 1 : 0;
  }
  absl::StrAppend(out, "@@ -", Range(old_line, olds), " +", Range(new_line, news), " @@\n");
  for (std::size_t i = begin; i < end; ++i) {
    out->push_back(edits[i].mark);
    out->append(edits[i].line);
    if (!edits[i].line.ends_with('\n')) out->append("\n\\ No newline at end of file\n");
  }
}

}  // namespace

std::string UnifiedDiff(std::string_view before, std::string_view after, std::string_view from,
                        std::string_view to) {
  if (before == after) return {};
  const Lines old_lines = LinesOf(before);
  const Lines new_lines = LinesOf(after);
  const std::vector<Edit> edits = Comparison(old_lines, new_lines).Edits();
  std::string out = absl::StrCat("--- ", ToAbsl(from), "\n+++ ", ToAbsl(to), "\n");
  std::size_t old_line = 0;
  std::size_t new_line = 0;
  for (std::size_t i = 0; i < edits.size();) {
    if (edits[i].mark == ' ') {
      ++i, ++old_line, ++new_line;
      continue;
    }
    // From three lines before this change to three behind the last one that is near it.
    const std::size_t lead = std::min(kContext, i);
    std::size_t last = i;
    for (std::size_t j = i; j < edits.size() && j <= last + 2 * kContext + 1; ++j) {
      if (edits[j].mark != ' ') last = j;
    }
    const std::size_t end = std::min(last + 1 + kContext, edits.size());
    AppendHunk(edits, i - lead, end, old_line - lead, new_line - lead, &out);
    for (; i < end; ++i) {
      old_line += edits[i].mark != '+' ? 1 : 0;
      new_line += edits[i].mark != '-' ? 1 : 0;
    }
  }
  return out;
}

}  // namespace sallyport::controlplane
