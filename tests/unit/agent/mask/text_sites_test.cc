#include "agent/mask/text_sites.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mask/packed_text.h"

namespace sallyport::agent {
namespace {

using Places = std::vector<std::size_t>;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsOfRun(char c) {
  return IsDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("+/-_").find(c) != std::string_view::npos;
}
bool IsOfUnit(char c) {
  return std::string_view("\\%&=").find(c) != std::string_view::npos || (c & 0x80) != 0;
}

// Where at least `count` such characters begin.
template <class Is>
Places Stretches(std::string_view text, std::size_t count, Is is) {
  Places places;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is(text[at]) || (at > 0 && is(text[at - 1]))) continue;
    std::size_t end = at;
    while (end < text.size() && is(text[end])) ++end;
    if (end - at >= count) places.push_back(at);
  }
  return places;
}

template <class Is>
Places Each(std::string_view text, Is is) {
  Places places;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is(text[at])) places.push_back(at);
  }
  return places;
}

Places All(const TextSites& sites, std::size_t (TextSites::*next)(std::size_t) const) {
  Places places;
  for (std::size_t at = (sites.*next)(0); at != TextSites::kNone; at = (sites.*next)(at + 1))
    places.push_back(at);
  return places;
}

void Check(const TextSites& sites, std::string_view text) {
  INFO(text);
  CHECK(All(sites, &TextSites::NextUnit) == Each(text, IsOfUnit));
  CHECK(All(sites, &TextSites::NextAtSign) == Each(text, [](char c) { return c == '@'; }));
  CHECK(All(sites, &TextSites::NextRun) == Stretches(text, kMinRun, IsOfRun));
  // A stretch that the end of a block cuts may be shorter.
  const Places digits = All(sites, &TextSites::NextDigits);
  for (const std::size_t at : Stretches(text, 4, IsDigit))
    CHECK(std::find(digits.begin(), digits.end(), at) != digits.end());
  const Places any = Stretches(text, 1, IsDigit);
  for (const std::size_t at : digits) CHECK(std::find(any.begin(), any.end(), at) != any.end());
}

// What a test case runs with, one after the other.
TextSites::Classifier AnyClassifier() {
  const auto all = TextSites::Classifiers();
  return all[GENERATE_COPY(range(std::size_t{0}, all.size()))];
}

#if defined(__x86_64__)
TEST_CASE("text_sites has a classifier for each kind of processor", "[agent][mask]") {
  const std::size_t has_avx2 = __builtin_cpu_supports("avx2") ? 1 : 0;
  const std::size_t has_ssse3 = __builtin_cpu_supports("ssse3") ? 1 : 0;
  CHECK(TextSites::Classifiers().size() == 1 + has_avx2 + has_ssse3);
}
#endif

TEST_CASE("text_sites finds every character of a kind", "[agent][mask]") {
  std::string text;
  for (int c = 1; c < 256; ++c) text.append(3, static_cast<char>(c)).append(" ");
  TextSites sites(AnyClassifier());
  sites.Find(text, 0);
  Check(sites, text);
}

TEST_CASE("text_sites finds what begins in one block and goes on in others", "[agent][mask]") {
  const TextSites::Classifier classifier = AnyClassifier();
  for (std::size_t before = 0; before < 130; ++before) {
    for (const std::size_t size : {3, 4, 5, 19, 20, 21, 64, 83, 84, 85, 200}) {
      for (const char c : {'7', 'x'}) {
        const std::string text = std::string(before, ' ') + std::string(size, c) + " ";
        TextSites sites(classifier);
        sites.Find(text, 0);
        Check(sites, text);
        // Up to the very end.
        sites.Clear();
        sites.Find(std::string_view(text).substr(0, text.size() - 1), 0);
        Check(sites, std::string_view(text).substr(0, text.size() - 1));
      }
    }
  }
}

TEST_CASE("text_sites finds the same in texts that are added one by one", "[agent][mask]") {
  const TextSites::Classifier classifier = AnyClassifier();
  std::mt19937 random(20261126);
  const std::string_view alphabet = "aZ09+/-_ \\%&=@.\xc3\xa9";
  for (int round = 0; round < 2000; ++round) {
    std::string texts;
    TextSites sites(classifier);
    for (std::size_t count = 1 + random() % 4; count > 0; --count) {
      const std::size_t from = texts.size();
      for (std::size_t part = random() % 6; part > 0; --part)
        texts.append(random() % 40, alphabet[random() % alphabet.size()]);
      texts.push_back('\0');
      sites.Find(texts, from);
    }
    Check(sites, texts);
  }
}

}  // namespace
}  // namespace sallyport::agent
