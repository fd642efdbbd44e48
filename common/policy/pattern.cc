#include "common/policy/pattern.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/hex_digit.h"
#include "common/policy/plain_text.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxUriBytes = 8192;
constexpr std::string_view kMarks("\x01\x02");

// With a mark for each star.
std::string Marked(std::string_view pattern) {
  std::string marked;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '*') {
      marked += pattern[i];
      continue;
    }
    const std::size_t end = std::min(pattern.find_first_not_of('*', i), pattern.size());
    marked += end - i == 1 ? kStarMark : kAnyRunMark;
    i = end - 1;
  }
  return marked;
}

// Of nothing but visible ASCII, which all read alike.
bool IsPlain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

Glob::Glob(std::string_view pattern) : text_(pattern) {
  while (true) {
    const std::size_t star = pattern.find('*');
    parts_.emplace_back(pattern.substr(0, star));
    if (star == std::string_view::npos) return;
    pattern.remove_prefix(star + 1);
  }
}

bool Glob::Matches(std::string_view text) const {
  if (parts_.size() == 1) return text == parts_[0];
  const std::string& first = parts_.front();
  const std::string& last = parts_.back();
  if (text.size() < first.size() + last.size() || !text.starts_with(first) ||
      !text.ends_with(last)) {
    return false;
  }
  text.remove_prefix(first.size());
  text.remove_suffix(last.size());
  // The leftmost place is always good enough: what follows then has the most room.
  for (std::size_t i = 1; i + 1 < parts_.size(); ++i) {
    const std::size_t at = text.find(parts_[i]);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + parts_[i].size());
  }
  return true;
}

Glob Glob::Plain() const {
  Glob plain = *this;
  for (std::string& part : plain.parts_) part = PlainText(part);
  plain.parts_.front() = WithoutSpacesBefore(plain.parts_.front());
  plain.parts_.back() = WithoutSpacesBehind(plain.parts_.back());
  return plain;
}

NameForms::NameForms(std::string_view name) : as_it_stands_(name) {
  if (!IsPlain(name)) plain_ = WithoutSpacesBefore(WithoutSpacesBehind(PlainText(name)));
  if (std::any_of(name.begin(), name.end(), IsControl)) {
    refusal_ = "the name holds a control character";
  }
}

NamePattern::NamePattern(std::string_view pattern) : written_(pattern) {
  if (!IsPlain(pattern)) plain_ = written_.Plain();
}

UriPattern::Reading::Reading(std::string marked)
    : tokens(std::move(marked)),
      prefix(tokens.substr(0, std::min(tokens.find_first_of(kMarks), tokens.size()))) {}

UriPattern::UriPattern(std::string_view pattern) : text_(pattern) {
  std::string marked = pattern == "*" ? std::string(1, kAnyRunMark) : Marked(pattern);
  LowerScheme(marked);
  readings_.emplace_back(marked);
  if (!UriForms(pattern).refusal().empty()) return;
  const UriReadings readings = ReadUri(marked, UriKind::kPattern);
  for (const auto* forms : {&readings.forms, &readings.hosts}) {
    for (const std::string& form : *forms) readings_.emplace_back(form);
  }
  for (const std::string& form : readings.bare) bare_.emplace_back(form);
}

bool UriPattern::CutsEncoded(std::string_view pattern) {
  for (std::size_t i = pattern.find('%'); i < pattern.size(); i = pattern.find('%', i + 1)) {
    const std::string_view digits = pattern.substr(i + 1, 2);
    const std::size_t star = digits.find('*');
    if (star == 0 || (star == 1 && HexDigit(digits[0]) >= 0)) return true;
  }
  return false;
}

// Backtracks to the last star, and from there to the last `**`: an earlier one need not be tried
// again, for its leftmost match leaves the most room.
bool UriPattern::Reading::Run(std::string_view text, bool is_prefix) const {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t t = 0, p = 0;
  std::size_t star_p = kNone, star_t = 0, run_p = kNone, run_t = 0;
  while (true) {
    if (t == text.size()) {
      if (is_prefix) return true;
      while (p < tokens.size() && (tokens[p] == kStarMark || tokens[p] == kAnyRunMark)) ++p;
      if (p == tokens.size()) return true;
    } else if (p < tokens.size()) {
      if (tokens[p] == kAnyRunMark) {
        run_p = ++p;
        run_t = t;
        star_p = kNone;
        continue;
      }
      if (tokens[p] == kStarMark) {
        star_p = ++p;
        star_t = t;
        continue;
      }
      if (tokens[p] == text[t]) {
        ++p;
        ++t;
        continue;
      }
    }
    if (star_p != kNone && star_t < text.size() && text[star_t] != '/' &&
        text[star_t] != kAnyRunMark) {
      t = ++star_t;
      p = star_p;
    } else if (run_p != kNone && run_t < text.size()) {
      t = ++run_t;
      p = run_p;
      star_p = kNone;
    } else {
      return false;
    }
  }
}

UriForms::UriForms(std::string_view uri) : as_it_stands_(uri) {
  if (uri.empty()) {
    readings_.refusal = "the uri is empty";
    return;
  }
  if (uri.size() > kMaxUriBytes) {
    readings_.refusal = "the uri is longer than 8 KiB";
    return;
  }
  if (HasMixedScheme(uri)) {
    lowered_ = uri;
    LowerScheme(lowered_);
    as_it_stands_ = lowered_;
  }
  readings_ = ReadUri(as_it_stands_, UriKind::kUri);
}

UriTemplate::UriTemplate(std::string_view text) {
  if (text.size() > kMaxUriBytes) {
    readings_.refusal = "the uri is longer than 8 KiB";
    return;
  }
  if (text.find_first_of(kMarks) != std::string_view::npos) {
    readings_.refusal = "the uri holds a control character";
    return;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{') {
      as_it_stands_ += text[i];
      continue;
    }
    // Three kinds of variables let slashes through; the others encode them.
    const std::string_view variable = text.substr(i, text.find('}', i) - i);
    const bool is_open =
        variable.size() < 2 || std::string_view("+#/").find(variable[1]) != std::string_view::npos;
    as_it_stands_ += is_open ? kAnyRunMark : kStarMark;
    i += variable.size();
  }
  LowerScheme(as_it_stands_);
  readings_ = ReadUri(as_it_stands_, UriKind::kTemplate);
}

std::string_view UriTemplate::Beginning(std::string_view form) {
  return form.substr(0, form.find_first_of(kMarks));
}

}  // namespace sallyport
