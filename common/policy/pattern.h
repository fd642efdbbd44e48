#pragma once

#include <string>
#include <string_view>
#include <vector>

// Patterns of policies. Matching takes the whole text, code unit by code unit; case matters.
namespace sallyport {

// A name with `*` for any run of characters. Every string is a glob.
class Glob {
 public:
  explicit Glob(std::string_view pattern);

  bool Matches(std::string_view text) const;
  // Nothing but stars.
  bool is_all() const {
    return text_.find_first_not_of('*') == std::string::npos && !text_.empty();
  }
  const std::string& text() const { return text_; }
  // What stands before the first star.
  std::string_view prefix() const { return parts_.front(); }
  // No star: the prefix is all that matches.
  bool is_exact() const { return parts_.size() == 1; }

 private:
  std::string text_;
  // What stands between the stars: one part means that there is no star.
  std::vector<std::string> parts_;
};

// A pattern of URIs: `*` is any run of characters without `/`, `**` any run at all, and a pattern
// that is only `*` means all. Scheme letters compare without case.
class UriPattern {
 public:
  explicit UriPattern(std::string_view pattern);

  // `uri` is a form of a UriForms.
  bool Matches(std::string_view uri) const;
  // Whether a URI that begins with `prefix` could match.
  bool CouldMatchAfter(std::string_view prefix) const;
  bool is_all() const { return tokens_.size() == 1 && tokens_[0] == kAnyRun; }
  // As it was written.
  const std::string& text() const { return text_; }
  // What stands before the first star.
  std::string_view prefix() const { return prefix_; }
  // No star: the prefix is all that matches.
  bool is_exact() const { return prefix_.size() == tokens_.size(); }

 private:
  static constexpr int kStar = 256;
  static constexpr int kAnyRun = 257;

  bool Run(std::string_view text, bool is_prefix) const;

  std::string text_;
  std::string prefix_;
  std::vector<int> tokens_;  // a byte, kStar or kAnyRun
};

// The ways in which servers may read one URI: as it stands, percent-decoded, with full-width
// characters and other dots and slashes taken for ASCII, with runs of slashes collapsed. What
// grants must hold for all of them, what restricts need hold for one. A URI whose meaning depends
// on the reader has none at all: segments of dots, also encoded (more than once), encoded control
// characters, bytes that are not UTF-8, or more than 8 KiB.
class UriForms {
 public:
  explicit UriForms(std::string_view uri);

  // Why it is refused; empty: it is not. Static text.
  std::string_view refusal() const { return refusal_; }
  template <class Test>
  bool All(Test test) const {
    if (!test(as_it_stands_)) return false;
    for (const std::string& form : others_) {
      if (!test(std::string_view(form))) return false;
    }
    return true;
  }
  template <class Test>
  bool Any(Test test) const {
    return !All([&](std::string_view form) { return !test(form); });
  }

 private:
  std::string_view as_it_stands_;  // into the caller's bytes, or into lowered_
  std::string lowered_;
  std::vector<std::string> others_;
  std::string_view refusal_;
};

}  // namespace sallyport
