#include "common/time_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport {
namespace {

struct Unit {
  std::string_view name;
  absl::Duration length;
};
constexpr std::int64_t kMostNumber = 1'000'000'000'000'000;

const Unit kUnits[] = {{"d", absl::Hours(24)},
                       {"h", absl::Hours(1)},
                       {"m", absl::Minutes(1)},
                       {"s", absl::Seconds(1)},
                       {"ms", absl::Milliseconds(1)}};

absl::Status NotADuration(std::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", ToAbsl(text.substr(0, 40)),
                   "\" is no duration: write one such as 500ms, 15m, 1h30m or 90d"));
}

absl::Status TooLong(std::string_view text) {
  return absl::OutOfRangeError(absl::StrCat("\"", ToAbsl(text.substr(0, 40)),
                                            "\" is too long: at most ",
                                            DurationText(kLongestDuration), " can be written"));
}

// Takes a decimal number off the front of `text`; -1 when there is none; kMostNumber, which is
// too long in any unit, for what is larger.
std::int64_t TakeNumber(std::string_view& text) {
  std::int64_t number = -1;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    number = std::min((number < 0 ? 0 : number) * 10 + (text.front() - '0'), kMostNumber);
    text.remove_prefix(1);
  }
  return number;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  absl::Duration total;
  const Unit* next = kUnits;
  if (rest.empty()) return NotADuration(text);
  while (!rest.empty()) {
    const std::int64_t number = TakeNumber(rest);
    if (number < 0) return NotADuration(text);
    std::size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    const std::string_view name = rest.substr(0, letters);
    rest.remove_prefix(letters);
    while (next != std::end(kUnits) && next->name != name) ++next;
    if (next == std::end(kUnits)) return NotADuration(text);
    total += number * next->length;
    ++next;
  }
  if (total > kLongestDuration) return TooLong(text);
  return total;
}

std::string DurationText(absl::Duration duration) {
  std::string text = duration < absl::ZeroDuration() ? "-" : "";
  duration = absl::AbsDuration(duration);
  if (duration == absl::InfiniteDuration()) return text + "inf";
  for (const Unit& unit : kUnits) {
    const std::int64_t number = absl::IDivDuration(duration, unit.length, &duration);
    if (number != 0) absl::StrAppend(&text, number, ToAbsl(unit.name));
  }
  return text.empty() || text == "-" ? "0s" : text;
}

absl::StatusOr<absl::Time> ParseTime(std::string_view text) {
  absl::Time time;
  std::string error;
  // absl's format takes more than RFC 3339 (infinite-future, blanks around it): the shape is judged
  // here.
  const bool has_shape = text.size() >= 20 && text[4] == '-' && text[7] == '-' &&
                         (text[10] == 'T' || text[10] == 't') && text[13] == ':' &&
                         text[16] == ':' && text.back() != ' ';
  if (!has_shape || !absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, &error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", ToAbsl(text.substr(0, 40)), "\" is no time: write one such as 2026-12-31T00:00:00Z"));
  }
  return time;
}

std::string TimeText(absl::Time time) {
  const absl::Time whole_millis = absl::FromUnixMillis(absl::ToUnixMillis(time));
  const bool has_millis = absl::ToUnixMillis(time) % 1000 != 0;
  return absl::FormatTime(has_millis ? "%Y-%m-%dT%H:%M:%E3SZ" : "%Y-%m-%dT%H:%M:%SZ", whole_millis,
                          absl::UTCTimeZone());
}

}  // namespace sallyport
