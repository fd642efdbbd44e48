#include "agent/mask/mask_edits.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/json_splice.h"
#include "agent/mcp/json_text.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using Kind = MaskOp::Kind;

// A record of a message that is nothing but findings stays readable.
constexpr std::size_t kMaxFindings = 256;
// Of a shorter text the end gives too much away.
constexpr std::size_t kKeepAtMostOneIn = 3;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::size_t Characters(std::string_view text) {
  return text.size() -
         static_cast<std::size_t>(std::count_if(text.begin(), text.end(), IsContinuation));
}

// Crockford's base32, 80 bits.
std::string Token(std::string_view key, const MaskHit& hit, std::string_view found) {
  constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  constexpr std::size_t kChars = 16;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(found.data()), found.size(), mac.data(), &size);
  std::string token = absl::StrCat("tok_", ToAbsl(hit.name), "_");
  for (std::size_t i = 0; i < kChars; ++i) {
    const std::size_t bit = i * 5;
    const unsigned pair = static_cast<unsigned>(mac[bit / 8]) << 8 | mac[bit / 8 + 1];
    token.push_back(kAlphabet[pair >> (11 - bit % 8) & 31]);
  }
  return token;
}

// Of two findings in one place: a credential before a field rule before a detector, then the longer
// one.
bool IsStronger(const MaskHit& a, const MaskHit& b) {
  if (a.source != b.source) return a.source > b.source;
  return a.end - a.begin > b.end - b.begin;
}

// RFC 6901 pointer of a node of the message. A name in which something was found is written as `*`.
std::string PointerOf(const JsonIndex& index, std::uint32_t node,
                      const std::vector<std::uint32_t>& found_keys) {
  std::vector<std::uint32_t> path;
  for (std::uint32_t i = node; i != 0 && i != JsonNode::kNone; i = index.nodes()[i].parent) {
    path.push_back(i);
  }
  std::string pointer;
  for (auto it = path.rbegin(); it != path.rend(); ++it) {
    const JsonNode& step = index.nodes()[*it];
    pointer.push_back('/');
    if (!step.is_member()) {
      std::size_t position = 0;
      for (const JsonNode& sibling : index.Children(index.nodes()[step.parent])) {
        if (&sibling == &step) break;
        ++position;
      }
      absl::StrAppend(&pointer, position);
    } else if (std::binary_search(found_keys.begin(), found_keys.end(), *it)) {
      pointer.push_back('*');
    } else {
      for (const char c : step.key) {
        if (c == '~') {
          pointer.append("~0");
        } else if (c == '/') {
          pointer.append("~1");
        } else {
          pointer.push_back(c);
        }
      }
    }
  }
  return pointer;
}

void AddFinding(std::vector<Finding>& findings, std::string_view name, std::string pointer) {
  for (Finding& finding : findings) {
    if (finding.detector == name && finding.pointer == pointer) {
      ++finding.count;
      return;
    }
  }
  if (findings.size() >= kMaxFindings && !pointer.empty()) return AddFinding(findings, name, {});
  findings.push_back({std::string(name), std::move(pointer), 1});
}

// Puts overlapping hits together, in order.
void Merge(std::vector<MaskHit>& hits) {
  std::sort(hits.begin(), hits.end(), [](const MaskHit& a, const MaskHit& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::size_t kept = 0;
  for (const MaskHit& hit : hits) {
    if (kept == 0 || hit.begin >= hits[kept - 1].end) {
      hits[kept++] = hit;
      continue;
    }
    MaskHit& last = hits[kept - 1];
    MaskHit merged = IsStronger(hit, last) ? hit : last;
    merged.op = hit.source == last.source ? MaskOp::Stricter(hit.op, last.op) : merged.op;
    if (hit.op.kind == Kind::kBlock || last.op.kind == Kind::kBlock) merged.op.kind = Kind::kBlock;
    merged.begin = last.begin;
    merged.end = std::max(last.end, hit.end);
    last = merged;
  }
  hits.resize(kept);
}

// In the document's text.
MaskEdit EditOf(const MaskText& text, const MaskHit& hit, std::string_view document,
                UnescapeCursor& cursor, std::string replaced) {
  MaskEdit edit;
  edit.document = text.document;
  switch (text.kind) {
    case MaskText::Kind::kNumber:
    case MaskText::Kind::kFlag:
      edit.begin = text.raw_begin;
      edit.end = text.raw_end;
      edit.text = text.kind == MaskText::Kind::kNumber ? "0" : "false";
      return edit;
    case MaskText::Kind::kString:
    case MaskText::Kind::kKey:
      break;
  }
  const std::size_t begin = hit.begin - text.begin;
  const std::size_t end = hit.end - text.begin;
  edit.begin = text.raw_begin + (text.is_escaped ? cursor.BeginOf(begin) : begin);
  edit.end = text.raw_begin + (text.is_escaped ? cursor.EndOf(end) : end);
  // A text that is a whole document (a decoded blob) stands in no quotes.
  if (text.raw_begin == 0 && text.raw_end == document.size()) {
    edit.text = std::move(replaced);
  } else {
    AppendJsonEscaped(edit.text, replaced);
  }
  return edit;
}

}  // namespace

std::string MaskReplacement::Of(const MaskHit& hit, std::string_view found) const {
  if (for_ == MaskFor::kApprover) {
    return absl::StrCat("[REDACTED:", ToAbsl(hit.name), ", ", Characters(found), " characters]");
  }
  switch (hit.op.kind) {
    case Kind::kDrop:
      return {};
    case Kind::kToken:
      if (!key_.empty()) return Token(key_, hit, found);
      break;
    case Kind::kKeepLast: {
      if (hit.source == MaskHit::Source::kCredential) break;
      if (std::size_t{hit.op.keep_last} * kKeepAtMostOneIn > Characters(found)) break;
      std::size_t begin = found.size();
      for (std::uint32_t kept = 0; begin > 0 && kept < hit.op.keep_last; ++kept) {
        --begin;
        while (begin > 0 && IsContinuation(found[begin])) --begin;
      }
      return absl::StrCat("[REDACTED:", ToAbsl(hit.name), "]", ToAbsl(found.substr(begin)));
    }
    case Kind::kReplace:
    case Kind::kBlock:
      break;
  }
  return absl::StrCat("[REDACTED:", ToAbsl(hit.name), "]");
}

absl::Status PlanEdits(const MessageTexts& texts, std::vector<MaskHit>& hits,
                       const MaskReplacement& replacement, MaskFor mask_for,
                       std::vector<MaskEdit>& edits, std::vector<Finding>& findings) {
  Merge(hits);
  std::vector<std::uint32_t> found_keys;
  std::vector<std::pair<std::string_view, std::uint32_t>> found;
  auto text = texts.texts().begin();
  UnescapeCursor cursor({});
  const MaskText* cursor_text = nullptr;
  for (const MaskHit& hit : hits) {
    while (text != texts.texts().end() && text->end < hit.end) ++text;
    if (text == texts.texts().end() || hit.begin < text->begin) {
      return absl::InternalError("a finding in no text");
    }
    if (mask_for == MaskFor::kClient) {
      if (text->must_stay) {
        return absl::FailedPreconditionError(absl::StrCat(
            ToAbsl(hit.name),
            text->kind == MaskText::Kind::kKey ? " in a member name" : " in a protocol member"));
      }
      if (hit.op.kind == Kind::kBlock) {
        return absl::FailedPreconditionError(absl::StrCat(ToAbsl(hit.name), " blocks the message"));
      }
    }
    const std::string_view document = texts.documents()[text->document].text;
    if (cursor_text != &*text) {
      cursor_text = &*text;
      cursor = UnescapeCursor(document.substr(text->raw_begin, text->raw_end - text->raw_begin));
    }
    edits.push_back(
        EditOf(*text, hit, document, cursor,
               replacement.Of(hit, texts.arena().substr(hit.begin, hit.end - hit.begin))));
    if (text->kind == MaskText::Kind::kKey && text->document == 0) found_keys.push_back(text->node);
    found.emplace_back(hit.name, text->node);
  }
  std::sort(found_keys.begin(), found_keys.end());
  for (const auto& [name, node] : found) {
    AddFinding(findings, name,
               findings.size() < kMaxFindings ? PointerOf(texts.index(), node, found_keys)
                                              : std::string());
  }
  return absl::OkStatus();
}

void CarryOut(const MessageTexts& texts, std::vector<MaskEdit>& edits) {
  const auto by_place = [](const MaskEdit& a, const MaskEdit& b) { return a.begin < b.begin; };
  // Inner documents have greater numbers than those that hold them.
  std::map<std::uint32_t, std::vector<MaskEdit>, std::greater<>> by_document;
  for (MaskEdit& edit : edits) by_document[edit.document].push_back(std::move(edit));
  edits.clear();
  while (!by_document.empty()) {
    const auto first = by_document.begin();
    const std::uint32_t document = first->first;
    std::vector<MaskEdit> own = std::move(first->second);
    by_document.erase(first);
    std::sort(own.begin(), own.end(), by_place);
    if (document == 0) {
      edits = std::move(own);
      return;
    }
    const MaskDocument& inner = texts.documents()[document];
    std::vector<MaskEdit>& outer = by_document[inner.parent];
    if (inner.encoding == MaskDocument::Encoding::kBase64) {
      Splicer splicer(inner.text);
      for (const MaskEdit& edit : own) splicer.Replace(edit.begin, edit.end, edit.text);
      outer.push_back(
          {inner.parent, inner.raw_begin, inner.raw_end, absl::Base64Escape(splicer.Finish())});
      continue;
    }
    const std::string_view holder = texts.documents()[inner.parent].text;
    UnescapeCursor cursor(holder.substr(inner.raw_begin, inner.raw_end - inner.raw_begin));
    for (const MaskEdit& edit : own) {
      MaskEdit carried;
      carried.document = inner.parent;
      carried.begin = inner.raw_begin + cursor.BeginOf(edit.begin);
      carried.end = inner.raw_begin + cursor.EndOf(edit.end);
      AppendJsonEscaped(carried.text, edit.text);
      outer.push_back(std::move(carried));
    }
  }
}

}  // namespace sallyport::agent
