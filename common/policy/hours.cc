#include "common/policy/hours.h"

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace sallyport {
namespace {

constexpr int kMinutesOfDay = 24 * 60;

// `HH:MM` up to 24:00, in minutes.
std::optional<int> ParseMinute(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) {
    return std::nullopt;
  }
  const int hour = (text[0] - '0') * 10 + (text[1] - '0');
  const int minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (minute > 59 || hour * 60 + minute > kMinutesOfDay) return std::nullopt;
  return hour * 60 + minute;
}

unsigned Bit(absl::Weekday day) { return 1U << static_cast<unsigned>(day); }

// Whether the database could have the name: each part of one begins with a capital. What else absl
// or the machine knows is no zone that is the same everywhere: UTC offsets of absl's own notation,
// paths, files beside the zones, the machine's own time, zones that count leap seconds.
bool CouldBeZone(std::string_view name) {
  bool begins_part = true;
  for (const char c : name) {
    const bool is_capital = c >= 'A' && c <= 'Z';
    const bool is_other =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
    if (begins_part ? !is_capital : !(is_capital || is_other || c == '/')) return false;
    begins_part = c == '/';
  }
  return !begins_part;
}

}  // namespace

absl::StatusOr<CompiledHours> CompiledHours::Compile(const types::v1::Hours& hours) {
  CompiledHours compiled;
  for (const int day : hours.days()) {
    if (day < types::v1::WEEKDAY_MON || day > types::v1::WEEKDAY_SUN) {
      return absl::InvalidArgumentError("days: an unknown day");
    }
    compiled.days_ |= Bit(static_cast<absl::Weekday>(day - types::v1::WEEKDAY_MON));
  }
  if (hours.days().empty()) compiled.days_ = 0x7f;
  const std::optional<int> from = ParseMinute(hours.from());
  if (!from || *from == kMinutesOfDay) {
    return absl::InvalidArgumentError("from: expected a time of the day such as 08:00");
  }
  const std::optional<int> to = ParseMinute(hours.to());
  if (!to)
    return absl::InvalidArgumentError("to: expected a time of the day such as 17:30 or 24:00");
  if (*from == *to) {
    return absl::InvalidArgumentError("to: equals from; the whole day is 00:00 to 24:00");
  }
  compiled.from_minute_ = *from;
  compiled.to_minute_ = *to;
  if (!CouldBeZone(hours.zone()) || !absl::LoadTimeZone(hours.zone(), &compiled.zone_)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "zone: \"", hours.zone(), "\" is not a zone of the IANA database, such as Europe/Berlin"));
  }
  return compiled;
}

bool CompiledHours::BeginsOn(absl::Weekday day) const { return (days_ & Bit(day)) != 0; }

bool CompiledHours::Contains(absl::Time time) const {
  const absl::CivilSecond local = absl::ToCivilSecond(time, zone_);
  const absl::CivilDay day(local);
  const int minute = local.hour() * 60 + local.minute();
  if (from_minute_ < to_minute_) {
    return BeginsOn(absl::GetWeekday(day)) && minute >= from_minute_ && minute < to_minute_;
  }
  return (minute >= from_minute_ && BeginsOn(absl::GetWeekday(day))) ||
         (minute < to_minute_ && BeginsOn(absl::GetWeekday(day - 1)));
}

}  // namespace sallyport
