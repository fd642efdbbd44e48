#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Heads of our own, written into a string that the connection keeps. Nothing of a peer's head is
// ever copied through.
namespace sallyport::agent {

// A JWT of 16 KiB and its scheme fit.
inline constexpr std::size_t kMaxFieldValueBytes = std::size_t{17} << 10;

// A field value that may go on a wire: visible ASCII, space and tab inside, no longer than that.
// Configured headers and credentials are checked with it when they are read, since the writers drop
// what fails it.
bool IsFieldValue(std::string_view value);
// An RFC 9110 token.
bool IsFieldName(std::string_view name);
// Origin form that may go on a wire: begins with '/', visible ASCII, no fragment.
bool IsRequestTarget(std::string_view target);

class HeadWriter {
 public:
  // Appends to `out`, which must outlive the writer.
  static HeadWriter Response(std::string& out, int status);
  static HeadWriter Request(std::string& out, std::string_view method, std::string_view target,
                            std::string_view host);

  // Goes on with a head that was begun before.
  static HeadWriter Rest(std::string& out) { return HeadWriter(out); }

  // A name or value that could break the head is refused: it is left out and `ok` turns false, and
  // the head must not be sent.
  HeadWriter& Field(std::string_view name, std::string_view value);
  HeadWriter& ContentLength(std::size_t bytes);
  HeadWriter& Chunked();
  // Ends the head.
  void End();
  bool ok() const { return ok_; }

 private:
  explicit HeadWriter(std::string& out) : out_(out) {}
  std::string& out_;
  bool ok_ = true;
};

// The size line before and the CRLF after a chunk's data; the last chunk.
void AppendChunk(std::string& out, std::string_view data);
void AppendLastChunk(std::string& out);

std::string_view ReasonPhrase(int status);

}  // namespace sallyport::agent
