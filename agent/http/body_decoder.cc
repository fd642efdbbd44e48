#include "agent/http/body_decoder.h"

#include <algorithm>

#include "agent/http/field_syntax.h"
#include "agent/http/head_lines.h"
#include "common/hex_digit.h"

namespace sallyport::agent {
namespace {

// Memory that an announced length alone may claim.
constexpr std::uint64_t kReserved = 64u << 10;
// What chunks may cost beside their data, beyond one byte for each byte of data: sixteen thousand
// chunks of one byte pass.
constexpr std::uint64_t kOverheadAllowance = 64u << 10;
// A chunk is smaller than 4 GiB; body limits are smaller still.
constexpr std::size_t kMaxSizeDigits = 8;

}  // namespace

void BodyDecoder::Start(Framing framing, std::uint64_t length, const HttpLimits& limits) {
  limits_ = limits;
  error_ = {};
  is_streamed_ = false;
  left_ = framing == Framing::kLength ? length : 0;
  received_ = overhead_ = 0;
  size_digits_ = extensions_ = trailer_bytes_ = trailer_fields_ = 0;
  trailer_line_.clear();
  switch (framing) {
    case Framing::kNone:
      state_ = State::kDone;
      break;
    case Framing::kLength:
      state_ = length == 0 ? State::kDone : State::kData;
      break;
    case Framing::kChunked:
      state_ = State::kSize;
      break;
    case Framing::kUntilClose:
      state_ = State::kUntilClose;
      break;
  }
}

std::size_t BodyDecoder::TakeData(std::string_view bytes, std::string& body) {
  const std::size_t n =
      state_ == State::kUntilClose
          ? bytes.size()
          : static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  if (!is_streamed_) {
    // The whole chunk or body is refused when it announces too much, not once it has come.
    if (received_ + std::max<std::uint64_t>(left_, n) > limits_.body) {
      Fail(413, "the body is too long");
      return 0;
    }
    if (body.capacity() < body.size() + n) {
      body.reserve(body.size() + std::max<std::uint64_t>(n, std::min(left_, kReserved)));
    }
  }
  body.append(bytes.substr(0, n));
  received_ += n;
  if (state_ != State::kUntilClose) left_ -= n;
  return n;
}

std::size_t BodyDecoder::Feed(std::string_view bytes, std::string& body) {
  std::size_t i = 0;
  while (i < bytes.size() && state_ != State::kDone && !error_) {
    switch (state_) {
      case State::kData:
      case State::kUntilClose:
      case State::kChunkData:
        i += TakeData(bytes.substr(i), body);
        if (left_ == 0 && !error_) {
          if (state_ == State::kData) state_ = State::kDone;
          if (state_ == State::kChunkData) state_ = State::kDataCr;
        }
        continue;
      case State::kSize:
        OnSizeChar(bytes[i]);
        break;
      case State::kExtension:
        OnExtensionChar(bytes[i]);
        break;
      case State::kSizeLf:
        if (bytes[i] != '\n') {
          Fail(400, "a chunk size ends without LF");
        } else {
          OnSizeEnd();
        }
        break;
      case State::kDataCr:
        if (bytes[i] != '\r') Fail(400, "a chunk is longer than its size");
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (bytes[i] != '\n') Fail(400, "a chunk ends without LF");
        state_ = State::kSize;
        size_digits_ = 0;
        if (is_streamed_) extensions_ = 0;
        break;
      case State::kTrailer:
        OnTrailerChar(bytes[i]);
        break;
      case State::kDone:
        break;
    }
    ++i;
    if (!is_streamed_ && ++overhead_ > kOverheadAllowance + received_ && !error_) {
      Fail(413, "too many small chunks");
    }
  }
  return i;
}

void BodyDecoder::OnSizeChar(char c) {
  const int digit = HexDigit(c);
  if (digit >= 0) {
    if (size_digits_ == kMaxSizeDigits) return Fail(400, "a chunk size is too large");
    // `0` ends the body; no other spelling of it, and no padding.
    if (size_digits_ > 0 && left_ == 0) return Fail(400, "a chunk size has leading zeros");
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    ++size_digits_;
    return;
  }
  if (size_digits_ == 0) return Fail(400, "a chunk has no size");
  if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (c == ';') {
    state_ = State::kExtension;
    extension_ = Extension::kNameStart;
    ++extensions_;
  } else {
    Fail(400, "a chunk size is not a plain number");
  }
}

void BodyDecoder::OnExtensionChar(char c) {
  if (++extensions_ > limits_.chunk_extensions) return Fail(400, "chunk extensions are too long");
  switch (extension_) {
    case Extension::kQuoted:
      if (c == '"') {
        extension_ = Extension::kQuotedEnd;
      } else if (c == '\\') {
        extension_ = Extension::kQuotedPair;
      } else if (!IsFieldChar(c)) {
        Fail(400, "a control character in a chunk extension");
      }
      return;
    case Extension::kQuotedPair:
      extension_ = Extension::kQuoted;
      if (!IsFieldChar(c)) Fail(400, "a control character in a chunk extension");
      return;
    case Extension::kNameStart:
    case Extension::kName:
    case Extension::kValueStart:
    case Extension::kValue:
    case Extension::kQuotedEnd:
      break;
  }
  const bool is_complete = extension_ == Extension::kName || extension_ == Extension::kValue ||
                           extension_ == Extension::kQuotedEnd;
  if (is_complete && c == '\r') {
    state_ = State::kSizeLf;
  } else if (is_complete && c == ';') {
    extension_ = Extension::kNameStart;
  } else if (extension_ == Extension::kName && c == '=') {
    extension_ = Extension::kValueStart;
  } else if (extension_ == Extension::kValueStart && c == '"') {
    extension_ = Extension::kQuoted;
  } else if (extension_ != Extension::kQuotedEnd && IsTokenChar(c)) {
    if (extension_ == Extension::kNameStart) extension_ = Extension::kName;
    if (extension_ == Extension::kValueStart) extension_ = Extension::kValue;
  } else {
    Fail(400, "a bad chunk extension");
  }
}

void BodyDecoder::OnSizeEnd() {
  if (left_ > 0) {
    state_ = State::kChunkData;
  } else {
    state_ = State::kTrailer;
    trailer_line_.clear();
  }
}

// Trailers are judged as fields are and then dropped: nothing reads them.
void BodyDecoder::OnTrailerChar(char c) {
  if (++trailer_bytes_ > limits_.head) return Fail(431, "trailers are too long");
  if (c != '\n') {
    trailer_line_.push_back(c);
    return;
  }
  if (trailer_line_.empty() || trailer_line_.back() != '\r') {
    return Fail(400, "a line ends without CR");
  }
  trailer_line_.pop_back();
  if (trailer_line_.empty()) {
    state_ = State::kDone;
    return;
  }
  if (++trailer_fields_ > limits_.fields) return Fail(431, "too many fields");
  std::string_view name;
  std::string_view value;
  error_ = HeadLines::SplitField(trailer_line_, limits_, name, value);
  if (!error_ && HeadLines::IsFraming(name)) Fail(400, "a framing field in the trailers");
  trailer_line_.clear();
}

bool BodyDecoder::OnClose() {
  if (state_ == State::kUntilClose && !error_) state_ = State::kDone;
  return state_ == State::kDone && !error_;
}

}  // namespace sallyport::agent
