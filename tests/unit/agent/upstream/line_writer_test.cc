#include "agent/upstream/line_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace sallyport::agent {
namespace {

// A child's stdin, as the child sees it.
struct Rig {
  // `flags`: O_DIRECT gives what one call has written to one read.
  explicit Rig(int flags = 0) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC | flags) == 0);
    child = ends[0];
    fcntl(child, F_SETFL, O_NONBLOCK);
    writer = std::make_shared<LineWriter>(loop, NonBlocking(ends[1]), [this] { ++broken; });
  }
  ~Rig() { CloseChild(); }
  void CloseChild() {
    if (child >= 0) close(std::exchange(child, -1));
  }
  std::string Read() {
    std::string bytes(65536, '\0');
    const ssize_t n = read(child, bytes.data(), bytes.size());
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  // All that comes while the loop goes on.
  std::string ReadAll() {
    std::string all;
    for (int quiet = 0; quiet < 3; ++quiet) {
      loop.RunReady();
      for (std::string more = Read(); !more.empty(); more = Read()) {
        all += more;
        quiet = 0;
      }
    }
    return all;
  }

  Loop loop;
  int child = -1;
  int broken = 0;
  std::shared_ptr<LineWriter> writer;
};

TEST_CASE("the lines of one turn go in one call, in the order of their coming",
          "[agent][upstream]") {
  Rig rig(O_DIRECT);
  rig.writer->Add("{\"a\":1}");
  rig.writer->Add("{\"b\":\n\"\\n\"\r}");
  rig.writer->Add("");
  CHECK(rig.Read().empty());
  rig.loop.RunReady();
  CHECK(rig.Read() == "{\"a\":1}\n{\"b\": \"\\n\" }\n\n");
  rig.writer->Add("later");
  rig.loop.RunReady();
  CHECK(rig.Read() == "later\n");
}

TEST_CASE("a child that does not read gets all of it once it does, and until then there is no room",
          "[agent][upstream]") {
  Rig rig;
  std::string expected;
  for (int i = 0; !rig.writer->is_full(); ++i) {
    const std::string line(10000 + static_cast<std::size_t>(i % 7),
                           static_cast<char>('a' + i % 26));
    rig.writer->Add(line);
    expected += line + "\n";
    if (i % 10 == 0) rig.loop.RunReady();
  }
  CHECK(expected.size() > (std::size_t{4} << 20));
  rig.writer->room().Reset();
  CHECK(rig.ReadAll() == expected);
  CHECK_FALSE(rig.writer->is_full());
  CHECK(rig.writer->room().is_set());
  CHECK(rig.broken == 0);
}

TEST_CASE("that a child takes nothing any more is told once, and later", "[agent][upstream]") {
  Rig rig;
  rig.CloseChild();
  rig.writer->Add("one");
  CHECK(rig.broken == 0);
  rig.loop.RunReady();
  CHECK(rig.broken == 1);
  rig.writer->Add("two");
  rig.loop.RunReady();
  rig.writer->Close();
  CHECK(rig.broken == 1);
  CHECK_FALSE(rig.writer->is_open());
}

TEST_CASE("closing writes what the pipe takes at once, and tells nobody", "[agent][upstream]") {
  Rig rig;
  rig.writer->Add("last words");
  rig.writer->Close();
  CHECK(rig.Read() == "last words\n");
  rig.loop.RunReady();
  CHECK(rig.broken == 0);

  Rig gone;
  gone.CloseChild();
  gone.writer->Add("last words");
  gone.writer->Close();
  CHECK(gone.broken == 0);
}

TEST_CASE("a writer that goes while its child does not read leaves nothing behind",
          "[agent][upstream]") {
  Rig rig;
  for (int i = 0; i < 100; ++i) rig.writer->Add(std::string(10000, 'x'));
  rig.loop.RunReady();
  rig.writer->Close();
  rig.writer.reset();
  CHECK_FALSE(rig.ReadAll().empty());
  CHECK(rig.broken == 0);
}

}  // namespace
}  // namespace sallyport::agent
