#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "agent/loop/descriptor.h"
#include "agent/loop/loop.h"
#include "agent/loop/runnable.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// The lines that go to a child, in the order of their coming. Those that the calls of one turn add
// go in one call of the system, and the child is woken once for them. A shared_ptr owns it. On the
// loop's thread.
class LineWriter final : public std::enable_shared_from_this<LineWriter>, private Runnable {
 public:
  // Owns `fd`, which does not block. `on_broken` is called once, when the child takes nothing any
  // more; never inside Add.
  LineWriter(Loop& loop, int fd, absl::AnyInvocable<void()> on_broken);

  // Adds a message as a line: line breaks are white space between JSON's tokens, and inside its
  // strings they cannot stand unescaped.
  void Add(std::string_view message);

  // So much waits for a child that does not read that nothing should be added before there is
  // room, which is told by `room`.
  bool is_full() const { return unsent() > kMaxUnsent; }
  Signal& room() { return room_; }

  // Writes what the child's pipe takes at once; the rest never goes.
  void Close();
  bool is_open() const { return descriptor_.is_open(); }

 private:
  static constexpr std::size_t kMaxUnsent = std::size_t{4} << 20;
  static constexpr std::size_t kKept = std::size_t{64} << 10;

  std::size_t unsent() const { return added_.size() + going_.size() - written_; }
  void Run() override;
  // Writes what can be written at once. False: the child has to read first, or nothing goes any
  // more.
  bool Write();
  static Task<void> WriteWhenItReads(std::shared_ptr<LineWriter> self);
  void Break();

  Loop& loop_;
  Descriptor descriptor_;
  absl::AnyInvocable<void()> on_broken_;
  std::string added_;
  // What is on its way, and how much of it is written.
  std::string going_;
  std::size_t written_ = 0;
  bool waits_ = false;
  Signal room_;
};

}  // namespace sallyport::agent
