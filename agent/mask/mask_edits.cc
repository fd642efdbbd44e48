#include "agent/mask/mask_edits.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/json_splice.h"
#include "agent/mcp/json_text.h"
#include "common/hmac.h"
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
  const std::string mac = HmacSha256(key, found);
  std::string token = absl::StrCat("tok_", ToAbsl(hit.name), "_");
  for (std::size_t i = 0; i < kChars; ++i) {
    const std::size_t bit = i * 5;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(mac[at]); };
    const unsigned pair = static_cast<unsigned>(byte(bit / 8)) << 8 | byte(bit / 8 + 1);
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

// Where it is counted.
std::size_t AddFinding(std::vector<Finding>& findings, std::string_view name, std::string pointer) {
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (findings[i].detector == name && findings[i].pointer == pointer) {
      ++findings[i].count;
      return i;
    }
  }
  if (findings.size() >= kMaxFindings && !pointer.empty()) return AddFinding(findings, name, {});
  findings.push_back({std::string(name), std::move(pointer), 1});
  return findings.size() - 1;
}

// Puts overlapping hits together, in order. Of two that are equal in everything the first one found
// names the finding, however many there are.
void Merge(std::vector<MaskHit>& hits) {
  std::stable_sort(hits.begin(), hits.end(), [](const MaskHit& a, const MaskHit& b) {
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
    const std::uint32_t begin = last.begin;
    const std::uint32_t end = std::max(last.end, hit.end);
    if (merged.begin != begin || merged.end != end) {
      merged.begin = merged.found_begin = begin;
      merged.end = merged.found_end = end;
    }
    last = merged;
  }
  hits.resize(kept);
}

std::string Redaction(std::string_view name) {
  return absl::StrCat("[REDACTED:", ToAbsl(name), "]");
}

// Edits that overlap (a value that is looked into in two ways) become one; those that come from
// further inside stand last.
void MergeEdits(std::vector<MaskEdit>& edits, std::vector<Finding>& findings) {
  std::stable_sort(edits.begin(), edits.end(), [](const MaskEdit& a, const MaskEdit& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::size_t kept = 0;
  for (MaskEdit& edit : edits) {
    if (kept == 0 || edit.begin >= edits[kept - 1].end) {
      if (&edits[kept] != &edit) edits[kept] = std::move(edit);
      ++kept;
      continue;
    }
    MaskEdit& last = edits[kept - 1];
    if (edit.finding == last.finding && !edit.is_rewrite && !last.is_rewrite) {
      --findings[edit.finding].count;
    }
    const bool is_same = edit.begin == last.begin && edit.end == last.end;
    if (is_same && edit.is_rewrite == last.is_rewrite) {
      last = std::move(edit);  // it knows the value's name
      continue;
    }
    if (edit.end <= last.end && !last.is_rewrite) continue;
    // A credential's own base64, in text that is put anew without it. Masking ends with a look at
    // the bytes that go out.
    if (edit.is_credential && last.is_credential && edit.end <= last.end) {
      if (edit.finding == last.finding) --findings[edit.finding].count;
      continue;
    }
    // One knows nothing of what the other has found.
    last.end = std::max(last.end, edit.end);
    last.text = Redaction(last.name);
    last.is_rewrite = false;
  }
  edits.resize(kept);
}

// Edits of the arena as edits of the documents' texts.
class ToDocument {
 public:
  explicit ToDocument(const MessageTexts& texts) : texts_(texts) {}

  // Edits must come in order.
  MaskEdit operator()(MaskEdit edit) {
    const MaskText& text = *texts_.TextAt(edit.begin);
    const std::size_t begin = edit.begin - text.begin;
    const std::size_t end = edit.end - text.begin;
    switch (text.kind) {
      case MaskText::Kind::kNumber:
      case MaskText::Kind::kFlag:
        edit.begin = text.raw_begin;
        edit.end = text.raw_end;
        edit.text = text.kind == MaskText::Kind::kNumber ? "0" : "false";
        return edit;
      case MaskText::Kind::kWhole:
        edit.begin = begin;
        edit.end = end;
        return edit;
      case MaskText::Kind::kString:
      case MaskText::Kind::kKey:
      case MaskText::Kind::kFolded:  // never: Unfold
        break;
    }
    if (text.is_escaped && cursor_text_ != &text) {
      cursor_text_ = &text;
      cursor_ = UnescapeCursor(texts_.documents()[text.document].text.substr(
          text.raw_begin, text.raw_end - text.raw_begin));
    }
    edit.begin = text.raw_begin + (text.is_escaped ? cursor_.BeginOf(begin) : begin);
    edit.end = text.raw_begin + (text.is_escaped ? cursor_.EndOf(end) : end);
    std::string escaped;
    AppendJsonEscaped(escaped, edit.text);
    edit.text = std::move(escaped);
    return edit;
  }

 private:
  const MessageTexts& texts_;
  const MaskText* cursor_text_ = nullptr;
  UnescapeCursor cursor_{{}};
};

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
      const std::string_view end = found.substr(begin);
      // Where escapes were undone, only what needs none can be put back.
      if (hit.found_begin != hit.begin && !std::all_of(end.begin(), end.end(), absl::ascii_isalnum))
        break;
      return Redaction(hit.name) + std::string(end);
    }
    case Kind::kReplace:
    case Kind::kBlock:
      break;
  }
  return Redaction(hit.name);
}

absl::Status PlanEdits(const MessageTexts& texts, std::vector<MaskHit>& hits,
                       const MaskReplacement& replacement, MaskFor mask_for,
                       std::vector<MaskEdit>& edits, std::vector<Finding>& findings) {
  for (MaskHit& hit : hits) texts.Unfold(hit.begin, hit.end);
  Merge(hits);
  std::vector<std::uint32_t> found_keys;
  std::vector<std::pair<std::string_view, std::uint32_t>> found;
  for (const MaskHit& hit : hits) {
    const MaskText* const text = texts.TextAt(hit.begin);
    if (text == nullptr || hit.end > text->end) return absl::InternalError("a finding in no text");
    if (mask_for == MaskFor::kClient) {
      if (texts.MustStay(*text)) {
        return absl::FailedPreconditionError(absl::StrCat(
            ToAbsl(hit.name),
            text->kind == MaskText::Kind::kKey ? " in a member name" : " in a protocol member"));
      }
      if (hit.op.kind == Kind::kBlock) {
        return absl::FailedPreconditionError(absl::StrCat(ToAbsl(hit.name), " blocks the message"));
      }
    }
    edits.push_back(
        {.begin = hit.begin,
         .end = hit.end,
         .text = replacement.Of(
             hit, texts.arena().substr(hit.found_begin, hit.found_end - hit.found_begin)),
         .name = hit.name,
         .is_credential = hit.source == MaskHit::Source::kCredential});
    if (text->kind == MaskText::Kind::kKey && text->document == 0) found_keys.push_back(text->node);
    found.emplace_back(hit.name, text->node);
  }
  std::sort(found_keys.begin(), found_keys.end());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const auto& [name, node] = found[i];
    edits[i].finding =
        AddFinding(findings, name,
                   findings.size() < kMaxFindings ? PointerOf(texts.index(), node, found_keys)
                                                  : std::string());
  }
  return absl::OkStatus();
}

void CarryOut(const MessageTexts& texts, std::vector<MaskEdit>& edits,
              std::vector<Finding>& findings) {
  struct Edits {
    std::vector<MaskEdit> arena;
    std::vector<MaskEdit> raw;  // of the document's text
  };
  // A document has a greater number than the one that holds it.
  std::map<std::uint32_t, Edits, std::greater<>> by_document;
  const auto add = [&](MaskEdit edit) {
    auto begin = static_cast<std::uint32_t>(edit.begin);
    auto end = static_cast<std::uint32_t>(edit.end);
    texts.Unfold(begin, end);
    edit.begin = begin;
    edit.end = end;
    by_document[texts.TextAt(begin)->document].arena.push_back(std::move(edit));
  };
  for (MaskEdit& edit : edits) add(std::move(edit));
  edits.clear();
  while (!by_document.empty()) {
    const std::uint32_t number = by_document.begin()->first;
    auto [arena, raw] = std::move(by_document.begin()->second);
    by_document.erase(by_document.begin());
    MergeEdits(arena, findings);
    ToDocument to_document(texts);
    for (MaskEdit& edit : arena) raw.push_back(to_document(std::move(edit)));
    MergeEdits(raw, findings);
    if (number == 0) {
      edits = std::move(raw);
      return;
    }
    const MaskDocument& document = texts.documents()[number];
    if (document.encoding == MaskDocument::Encoding::kPacked) {
      Splicer splicer(document.text);
      for (const MaskEdit& edit : raw) splicer.Replace(edit.begin, edit.end, edit.text);
      add({.begin = document.begin,
           .end = document.end,
           .text = Pack(splicer.Finish(), document.form),
           .name = raw[0].name,
           .finding = raw[0].finding,
           .is_rewrite = true,
           .is_credential = std::ranges::any_of(raw, &MaskEdit::is_credential)});
      continue;
    }
    UnescapeCursor cursor({});
    if (document.encoding == MaskDocument::Encoding::kJsonString) {
      cursor = UnescapeCursor(texts.documents()[document.parent].text.substr(
          document.raw_begin, document.raw_end - document.raw_begin));
    }
    for (MaskEdit& edit : raw) {
      if (document.encoding == MaskDocument::Encoding::kEmbedded) {
        edit.begin += document.begin;
        edit.end += document.begin;
        add(std::move(edit));
        continue;
      }
      edit.begin = document.raw_begin + cursor.BeginOf(edit.begin);
      edit.end = document.raw_begin + cursor.EndOf(edit.end);
      std::string escaped;
      AppendJsonEscaped(escaped, edit.text);
      edit.text = std::move(escaped);
      by_document[document.parent].raw.push_back(std::move(edit));
    }
  }
}

}  // namespace sallyport::agent
