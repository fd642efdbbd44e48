#include "agent/mask/detectors/readers.h"
#include "agent/mask/text_sites.h"

namespace sallyport::agent {
namespace {

class PersonalScan {
 public:
  PersonalScan(std::string_view text, std::vector<PersonalMatch>& found)
      : text_(text), found_(found) {}

  void OnDigits(std::size_t at) {
    // Most digits are years, times and counts.
    constexpr std::size_t kShortest = 13;
    if (at + kShortest > text_.size() || at < digits_done_) return;
    for (std::size_t i = 1; i < 4; ++i) {
      if (!IsDigit(text_[at + i])) return;
    }
    if (!MayBeginCard(text_[at], text_[at + 1])) return;
    if (const auto match = ReadCard(text_, at)) {
      found_.push_back({Detector::kCard, *match});
      digits_done_ = match->end;
    }
  }
  void OnAtSign(std::size_t at) {
    const auto match = ReadEmail(text_, at);
    if (!match.has_value()) return;
    if (!has_searched_) next_scheme_ = text_.find("://");
    has_searched_ = true;
    while (next_scheme_ < at) {
      scheme_ = next_scheme_;
      next_scheme_ = text_.find("://", next_scheme_ + 1);
    }
    const bool has_scheme = scheme_ != std::string_view::npos;
    if (has_scheme && IsInUserinfo(text_, scheme_, match->begin, at)) return;
    found_.push_back({Detector::kEmail, *match});
  }

 private:
  std::string_view text_;
  std::vector<PersonalMatch>& found_;
  std::size_t digits_done_ = 0;
  // The last `://` before the last address, and the next.
  std::size_t scheme_ = std::string_view::npos;
  std::size_t next_scheme_ = std::string_view::npos;
  bool has_searched_ = false;
};

}  // namespace

void FindPersonal(std::string_view text, const TextSites& sites,
                  std::vector<PersonalMatch>& found) {
  PersonalScan scan(text, found);
  for (std::size_t at = sites.NextDigits(0); at != TextSites::kNone; at = sites.NextDigits(at + 1))
    scan.OnDigits(at);
  for (std::size_t at = sites.NextAtSign(0); at != TextSites::kNone; at = sites.NextAtSign(at + 1))
    scan.OnAtSign(at);
}

}  // namespace sallyport::agent
