#include "common/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/fakes/temp_dir.h"

namespace sallyport {
namespace {

// What a manager at `address` is told. Empty: nothing.
std::string Told(const std::string& variable) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{.sun_family = AF_UNIX};
  variable.copy(address.sun_path, sizeof address.sun_path - 1);
  if (variable[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + variable.size());
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  setenv("NOTIFY_SOCKET", variable.c_str(), 1);
  TellReady("serving");
  unsetenv("NOTIFY_SOCKET");
  char bytes[256];
  const ssize_t read = recv(fd, bytes, sizeof bytes, 0);
  close(fd);
  return read < 0 ? "" : std::string(bytes, static_cast<std::size_t>(read));
}

TEST_CASE("the service manager is told when it wants to know", "[common]") {
  TempDir dir;
  CHECK(Told(dir / "notify") == "READY=1\nSTATUS=serving\n");
  CHECK(Told("@sallyport-test-" + std::to_string(getpid())) == "READY=1\nSTATUS=serving\n");
}

TEST_CASE("a service manager that is not there does no harm", "[common]") {
  TempDir dir;
  TellReady("nobody asked");
  setenv("NOTIFY_SOCKET", (dir / "nobody").c_str(), 1);
  TellReady("nobody listens");
  setenv("NOTIFY_SOCKET", std::string(300, 'x').c_str(), 1);
  TellReady("no such address");
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace sallyport
