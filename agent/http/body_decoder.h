#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/http/message.h"

namespace sallyport::agent {

// Finds where the body of a message ends, and takes it out of its chunks.
class BodyDecoder {
 public:
  enum class Framing : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

  // `length` only for kLength. What the head has used of `limits.head` and `limits.fields` must
  // have been taken off.
  void Start(Framing framing, std::uint64_t length, const HttpLimits& limits);
  // The body is taken piece by piece: its limit does not hold for all of it, nor do those of what
  // stands between its data, but for each chunk.
  void Stream() { is_streamed_ = true; }
  // A new limit for what is still to come.
  void LimitTo(std::uint64_t bytes) { limits_.body = bytes; }

  // Takes what belongs to the body, appends its data to `body`, returns how much was taken.
  std::size_t Feed(std::string_view bytes, std::string& body);
  bool is_done() const { return state_ == State::kDone; }
  HttpError error() const { return error_; }
  // The peer has closed. True if that completes the body.
  bool OnClose();

 private:
  enum class State : std::uint8_t {
    kData,
    kUntilClose,
    kSize,
    kExtension,
    kSizeLf,
    kChunkData,
    kDataCr,
    kDataLf,
    kTrailer,
    kDone
  };
  // ;name=value;name="quoted \\" value"
  enum class Extension : std::uint8_t {
    kNameStart,
    kName,
    kValueStart,
    kValue,
    kQuoted,
    kQuotedPair,
    kQuotedEnd
  };
  void Fail(int status, std::string_view what) { error_ = {status, what}; }
  // Data of up to left_ bytes; how many.
  std::size_t TakeData(std::string_view bytes, std::string& body);
  void OnSizeChar(char c);
  void OnExtensionChar(char c);
  void OnSizeEnd();
  void OnTrailerChar(char c);

  HttpLimits limits_;
  State state_ = State::kDone;
  HttpError error_;
  bool is_streamed_ = false;
  std::uint64_t left_ = 0;      // of the body, or of the chunk
  std::uint64_t received_ = 0;  // data
  std::uint64_t overhead_ = 0;  // what is not data
  std::size_t size_digits_ = 0;
  Extension extension_ = Extension::kNameStart;
  std::size_t extensions_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_fields_ = 0;
  std::string trailer_line_;
};

}  // namespace sallyport::agent
