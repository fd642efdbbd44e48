#include "agent/upstream/line_writer.h"

#include <algorithm>
#include <utility>

namespace sallyport::agent {

LineWriter::LineWriter(Loop& loop, int fd, absl::AnyInvocable<void()> on_broken)
    : loop_(loop), descriptor_(loop, fd), on_broken_(std::move(on_broken)), room_(loop) {}

void LineWriter::Add(std::string_view message) {
  if (!is_open()) return;
  const std::size_t begin = added_.size();
  added_.append(message).push_back('\n');
  std::replace_if(
      added_.begin() + static_cast<std::ptrdiff_t>(begin), added_.end() - 1,
      [](char c) { return c == '\n' || c == '\r'; }, ' ');
  if (!waits_ && !is_listed()) loop_.MakeReady(*this);
}

void LineWriter::Run() {
  while (Write()) continue;
  if (unsent() == 0 || !is_open() || std::exchange(waits_, true)) return;
  loop_.Spawn(WriteWhenItReads(shared_from_this()));
}

bool LineWriter::Write() {
  if (written_ == going_.size()) {
    written_ = 0;
    going_.clear();
    if (going_.capacity() > kKept) std::string().swap(going_);
    going_.swap(added_);
  }
  if (going_.empty() || !is_open()) return false;
  const IoResult result = descriptor_.Write(std::string_view(going_).substr(written_));
  if (!result.ok() && !result.would_block()) Break();
  if (!result.ok()) return false;
  written_ += result.n;
  if (!is_full()) room_.Set();
  return true;
}

Task<void> LineWriter::WriteWhenItReads(std::shared_ptr<LineWriter> self) {
  while (self->unsent() > 0 && self->is_open()) {
    const std::string_view rest = std::string_view(self->going_).substr(self->written_);
    const IoResult result = co_await WriteSome(self->descriptor_, rest);
    if (!result.ok()) {
      self->Break();
      break;
    }
    self->written_ += result.n;
    if (!self->is_full()) self->room_.Set();
    while (self->Write()) continue;
  }
  self->waits_ = false;
}

void LineWriter::Break() {
  if (!is_open()) return;
  descriptor_.Close();
  room_.Set();
  if (auto on_broken = std::exchange(on_broken_, nullptr)) on_broken();
}

void LineWriter::Close() {
  on_broken_ = nullptr;
  while (Write()) continue;
  descriptor_.Close();
  room_.Set();
}

}  // namespace sallyport::agent
