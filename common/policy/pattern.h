#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/uri_readings.h"

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
  // What it says beside its stars as PlainText, without the spaces around it.
  Glob Plain() const;
  // With what stands before the first star, and whether there is none: then that is all that
  // matches.
  template <class Visit>
  void EachBeginning(Visit visit) const {
    visit(std::string_view(parts_.front()), parts_.size() == 1);
  }

 private:
  std::string text_;
  // What stands between the stars: one part means that there is no star.
  std::vector<std::string> parts_;
};

// A name, and what readers make of it that normalise it. None has one meaning that holds a control
// character: a reader may stop there.
class NameForms {
 public:
  explicit NameForms(std::string_view name);

  // Why it is refused; empty: it is not. Static text.
  std::string_view refusal() const { return refusal_; }
  std::string_view as_it_stands() const { return as_it_stands_; }
  template <class Test>
  bool Any(Test test) const {
    return test(as_it_stands_) || (plain_ && test(std::string_view(*plain_)));
  }
  template <class Test>
  bool AllOthers(Test test) const {
    return !plain_ || test(std::string_view(*plain_));
  }

 private:
  std::string_view as_it_stands_;  // into the caller's bytes
  std::optional<std::string> plain_;
  std::string_view refusal_;
};

// A Glob of names, which can be read in two ways, as a name can.
class NamePattern {
 public:
  explicit NamePattern(std::string_view pattern);

  // As it was written.
  bool Matches(std::string_view name) const { return written_.Matches(name); }
  // In some reading.
  bool MatchesAnyhow(std::string_view name) const {
    return written_.Matches(name) || (plain_ && plain_->Matches(name));
  }
  bool is_all() const { return written_.is_all(); }
  const std::string& text() const { return written_.text(); }
  template <class Visit>
  void EachBeginning(Visit visit) const {
    written_.EachBeginning(visit);
    if (plain_) plain_->EachBeginning(visit);
  }

 private:
  Glob written_;
  std::optional<Glob> plain_;
};

// A pattern of URIs: `*` is any run of characters without `/`, `**` any run at all, and a pattern
// that is only `*` means all. Scheme letters compare without case. What it says beside its stars
// can be read in several ways, as a URI can.
class UriPattern {
 public:
  explicit UriPattern(std::string_view pattern);

  // An encoded character of which a star is a part: such a pattern has no meaning.
  static bool CutsEncoded(std::string_view pattern);

  // As it was written. `uri` is a form of a UriForms.
  bool Matches(std::string_view uri) const { return readings_.front().Matches(uri); }
  // In some reading.
  bool MatchesAnyhow(std::string_view uri) const { return AnyMatches(readings_, uri); }
  // In some reading, or without what no server is asked for: a pattern that names a fragment grants
  // what is asked for with it, and restricts that fragment alone.
  bool CoversAnyhow(std::string_view uri) const {
    return MatchesAnyhow(uri) || AnyMatches(bare_, uri);
  }
  // Whether a URI that begins with `prefix` could match, as it was written and in some reading.
  bool CouldMatchAfter(std::string_view prefix) const {
    return readings_.front().Run(prefix, /*is_prefix=*/true);
  }
  bool CouldMatchAnyhowAfter(std::string_view prefix) const {
    const auto could = [&](const Reading& reading) {
      return reading.Run(prefix, /*is_prefix=*/true);
    };
    return std::any_of(readings_.begin(), readings_.end(), could) ||
           std::any_of(bare_.begin(), bare_.end(), could);
  }
  bool is_all() const { return readings_.front().tokens == std::string_view(&kAnyRunMark, 1); }
  // As it was written.
  const std::string& text() const { return text_; }
  // As Glob's, for each reading.
  template <class Visit>
  void EachBeginning(Visit visit) const {
    for (const Reading& reading : readings_) {
      visit(std::string_view(reading.prefix), reading.prefix.size() == reading.tokens.size());
    }
  }

 private:
  struct Reading {
    explicit Reading(std::string marked);

    bool Matches(std::string_view uri) const {
      return uri.starts_with(prefix) && Run(uri, /*is_prefix=*/false);
    }
    bool Run(std::string_view text, bool is_prefix) const;

    std::string tokens;  // bytes and marks
    std::string prefix;  // before the first mark
  };

  static bool AnyMatches(const std::vector<Reading>& readings, std::string_view uri) {
    return std::any_of(readings.begin(), readings.end(),
                       [&](const Reading& reading) { return reading.Matches(uri); });
  }

  std::string text_;
  std::vector<Reading> readings_;  // first the one that was written
  std::vector<Reading> bare_;
};

// A text and its other forms: what UriForms and UriTemplate have in common.
class ReadForms {
 public:
  // Why it is refused; empty: it is not. Static text.
  std::string_view refusal() const { return readings_.refusal; }
  // All forms beside the text as it stands, hosts left aside.
  template <class Test>
  bool AllOthers(Test test) const {
    return std::all_of(readings_.forms.begin(), readings_.forms.end(), test) &&
           std::all_of(readings_.bare.begin(), readings_.bare.end(), test);
  }

 protected:
  // One of them, or a host.
  template <class Test>
  bool AnyOther(Test test) const {
    return std::any_of(readings_.forms.begin(), readings_.forms.end(), test) ||
           std::any_of(readings_.bare.begin(), readings_.bare.end(), test) ||
           std::any_of(readings_.hosts.begin(), readings_.hosts.end(), test);
  }

  UriReadings readings_;
};

// The ways in which servers may read one URI: as it stands, percent-decoded, with full-width
// characters and other dots, slashes and spaces taken for ASCII, without spaces around it, with
// runs of slashes collapsed, without its fragment, without a query that is empty or of a file, and
// with its host as who connects to it reads it. What grants must match it as it stands and, in some
// reading of the pattern, in each form; what restricts, in one form or by its host. A URI whose
// meaning depends on the reader has none at all: segments of dots, also encoded (more than once),
// encoded control characters, bytes that are not UTF-8, a host on the web that is not ASCII, or
// more than 8 KiB.
class UriForms : public ReadForms {
 public:
  explicit UriForms(std::string_view uri);

  std::string_view as_it_stands() const { return as_it_stands_; }
  template <class Test>
  bool Any(Test test) const {
    return test(as_it_stands_) || AnyOther(test);
  }

 private:
  std::string_view as_it_stands_;  // into the caller's bytes, or into lowered_
  std::string lowered_;
};

// A URI template (RFC 6570) in the forms of what may come of it, with marks for its variables. A
// pattern matches such a form where it matches whatever may stand for the variables.
class UriTemplate : public ReadForms {
 public:
  explicit UriTemplate(std::string_view text);

  std::string_view as_it_stands() const { return as_it_stands_; }
  template <class Test>
  bool Any(Test test) const {
    return test(as_it_stands()) || AnyOther(test);
  }
  // What of a form stands before the first variable.
  static std::string_view Beginning(std::string_view form);

 private:
  std::string as_it_stands_;
};

}  // namespace sallyport
