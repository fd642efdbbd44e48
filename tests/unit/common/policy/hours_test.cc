#include "common/policy/hours.h"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>

namespace sallyport {
namespace {

CompiledHours Open(std::initializer_list<types::v1::Weekday> days, const std::string& from,
                   const std::string& to, const std::string& zone) {
  types::v1::Hours hours;
  for (const auto day : days) hours.add_days(day);
  hours.set_from(from);
  hours.set_to(to);
  hours.set_zone(zone);
  const auto compiled = CompiledHours::Compile(hours);
  INFO(compiled.status());
  REQUIRE(compiled.ok());
  return *compiled;
}

absl::Time At(const char* text) {
  absl::Time time;
  std::string error;
  REQUIRE(absl::ParseTime(absl::RFC3339_full, text, &time, &error));
  return time;
}

bool IsZone(const std::string& zone) {
  types::v1::Hours hours;
  hours.set_from("08:00");
  hours.set_to("09:00");
  hours.set_zone(zone);
  return CompiledHours::Compile(hours).ok();
}

TEST_CASE("a zone is one of the database and nothing else that the machine has",
          "[policy][hours]") {
  const char* zone = GENERATE("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "EST5EDT",
                              "Etc/GMT+12", "America/Port-au-Prince", "NZ-CHAT");
  INFO(zone);
  CHECK(IsZone(zone));
  const char* other = GENERATE(
      "", "localtime", "libc:localtime", "/etc/localtime", "/usr/share/zoneinfo/Asia/Tokyo",
      "../../../etc/localtime", "file:Europe/Berlin", "Europe/../Asia/Tokyo", "Europe//Berlin",
      "./UTC", "posixrules", "right/UTC", "posix/UTC", "Fixed/UTC+01:00:00", "Europe/Berlin ",
      "Europe", "Europe/", "Nowhere/Atall", "leapseconds", "zone.tab");
  INFO(other);
  CHECK_FALSE(IsZone(other));
}

TEST_CASE("hours begin with their first minute and end before their last", "[policy][hours]") {
  const CompiledHours hours = Open({}, "08:00", "17:30", "UTC");
  CHECK_FALSE(hours.Contains(At("2026-11-26T07:59:59.999Z")));
  CHECK(hours.Contains(At("2026-11-26T08:00:00Z")));
  CHECK(hours.Contains(At("2026-11-26T17:29:59.999Z")));
  CHECK_FALSE(hours.Contains(At("2026-11-26T17:30:00Z")));
}

TEST_CASE("hours follow the wall clock of their zone, summer and winter", "[policy][hours]") {
  const CompiledHours hours = Open({}, "08:00", "17:00", "Europe/Berlin");
  CHECK_FALSE(hours.Contains(At("2026-01-15T06:59:00Z")));
  CHECK(hours.Contains(At("2026-01-15T07:00:00Z")));
  CHECK(hours.Contains(At("2026-07-15T06:00:00Z")));
  CHECK_FALSE(hours.Contains(At("2026-07-15T15:00:00Z")));
}

TEST_CASE("what is left out of the day on which clocks go forward is not there",
          "[policy][hours]") {
  const CompiledHours hours = Open({}, "02:00", "03:00", "Europe/Berlin");
  CHECK(hours.Contains(At("2026-03-28T01:30:00Z")));
  for (const char* time :
       {"2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"}) {
    CHECK_FALSE(hours.Contains(At(time)));
  }
  CHECK(hours.Contains(At("2026-10-25T00:30:00Z")));
  CHECK(hours.Contains(At("2026-10-25T01:30:00Z")));
}

TEST_CASE("a night belongs to the day on which it begins", "[policy][hours]") {
  const CompiledHours hours = Open({types::v1::WEEKDAY_FRI}, "22:00", "06:00", "UTC");
  CHECK_FALSE(hours.Contains(At("2026-11-27T05:00:00Z")));  // Friday morning
  CHECK(hours.Contains(At("2026-11-27T22:00:00Z")));
  CHECK(hours.Contains(At("2026-11-28T05:59:59Z")));  // Saturday morning
  CHECK_FALSE(hours.Contains(At("2026-11-28T06:00:00Z")));
  CHECK_FALSE(hours.Contains(At("2026-11-28T22:00:00Z")));
}

TEST_CASE("days are those of the zone", "[policy][hours]") {
  const CompiledHours hours = Open({types::v1::WEEKDAY_MON}, "00:00", "24:00", "Asia/Tokyo");
  CHECK(hours.Contains(At("2026-11-29T15:00:00Z")));  // Monday in Tokyo
  CHECK_FALSE(hours.Contains(At("2026-11-30T15:00:00Z")));
}

}  // namespace
}  // namespace sallyport
