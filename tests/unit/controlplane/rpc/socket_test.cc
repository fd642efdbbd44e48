#include "controlplane/rpc/socket.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace sallyport::controlplane {
namespace {

// A directory that goes with the test.
struct Scratch {
  Scratch() {
    char name[] = "/tmp/sallyport-socket-XXXXXX";
    path = mkdtemp(name);
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  std::string path;
};

TEST_CASE("addresses split into host and port and back", "[rpc][socket]") {
  const auto v4 = SplitHostPort("127.0.0.1:7443");
  REQUIRE(v4.ok());
  CHECK(v4->host == "127.0.0.1");
  CHECK(v4->port == "7443");
  const auto v6 = SplitHostPort("[::1]:0");
  REQUIRE(v6.ok());
  CHECK(v6->host == "::1");
  CHECK(JoinHostPort(v6->host, v6->port) == "[::1]:0");
  for (const char* bad : {"", "host", "host:", ":80", "host:http", "host:65536", "::1:80",
                          "[::1:80", "host:-1", "host: 80"}) {
    INFO(bad);
    CHECK_FALSE(SplitHostPort(bad).ok());
  }
}

TEST_CASE("the port that was bound is told", "[rpc][socket]") {
  const auto listener = ListenTcp("127.0.0.1:0");
  REQUIRE(listener.ok());
  CHECK(SplitHostPort(listener->address)->port != "0");
  CHECK_FALSE(ListenTcp(listener->address).ok());
}

TEST_CASE("a unix socket is for its owner alone", "[rpc][socket]") {
  const Scratch dir;
  const std::string path = dir.path + "/admin.sock";
  const mode_t before = umask(0);
  const auto listener = ListenUnix(path);
  umask(before);
  REQUIRE(listener.ok());
  struct stat made {};
  REQUIRE(stat(path.c_str(), &made) == 0);
  CHECK((made.st_mode & 0777) == 0600);
}

TEST_CASE("a dead socket is replaced, a live one and a file are not", "[rpc][socket]") {
  const Scratch dir;
  const std::string path = dir.path + "/admin.sock";
  {
    const auto listener = ListenUnix(path);
    REQUIRE(listener.ok());
    CHECK(absl::IsFailedPrecondition(ListenUnix(path).status()));
  }
  CHECK(ListenUnix(path).ok());

  const std::string file = dir.path + "/file";
  std::ofstream(file) << "precious";
  CHECK(absl::IsFailedPrecondition(ListenUnix(file).status()));
  CHECK(std::filesystem::file_size(file) == 8);
  CHECK(absl::IsInvalidArgument(ListenUnix(dir.path + "/" + std::string(120, 'x')).status()));
}

}  // namespace
}  // namespace sallyport::controlplane
