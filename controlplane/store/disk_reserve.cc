#include "controlplane/store/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/denial.h"
#include "common/log.h"
#include "common/operator_detail.h"
#include "common/status_macros.h"

namespace sallyport::controlplane {
namespace {

constexpr uint64_t kMostFloor = uint64_t{128} << 20;
constexpr uint64_t kMostBallast = uint64_t{16} << 20;
constexpr uint64_t kParts = 4;
// What a start writes before anybody can be served: certificates, the databases' shared memory.
constexpr uint64_t kRoomToStart = uint64_t{512} << 10;

DiskReserve::Probe ProbeOf(const std::string& dir) {
  return [dir]() -> absl::StatusOr<DiskReserve::Space> {
    struct statvfs info {};
    if (::statvfs(dir.c_str(), &info) == 0) {
      return DiskReserve::Space{.total = uint64_t{info.f_blocks} * info.f_frsize,
                                .free = uint64_t{info.f_bavail} * info.f_frsize};
    }
    return WithOperatorDetail(absl::UnavailableError("the control plane's disk cannot be asked"),
                              dir + ": statvfs: " + std::strerror(errno));
  };
}

// How much of the file is there in real blocks, up to its size.
uint64_t AllocatedBytes(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  return std::min(static_cast<uint64_t>(info.st_size), static_cast<uint64_t>(info.st_blocks) * 512);
}

// Brings the file to that size, with blocks, durably. 0, or the system's error.
int SetSize(const std::string& path, uint64_t bytes) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return errno;
  const auto size = static_cast<off_t>(bytes);
  int error = ::ftruncate(fd, size) == 0 ? 0 : errno;
  if (error == 0 && bytes != 0) error = ::posix_fallocate(fd, 0, size);
  // Blocks that were given up may be used again once the file system has written it down.
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  ::close(fd);
  return error;
}

}  // namespace

DiskReserve::DiskReserve(std::string path, Probe probe, const Space& space)
    : path_(std::move(path)),
      probe_(std::move(probe)),
      floor_bytes_(std::min(kMostFloor, space.total / 8)),
      whole_bytes_(std::min(kMostBallast, space.total / 16)) {}

absl::StatusOr<std::unique_ptr<DiskReserve>> DiskReserve::Open(const std::string& dir,
                                                               Probe probe) {
  if (probe == nullptr) probe = ProbeOf(dir);
  ASSIGN_OR_RETURN(const Space space, probe());
  std::unique_ptr<DiskReserve> reserve(new DiskReserve(dir + "/ballast", std::move(probe), space));
  {
    const absl::MutexLock lock(&reserve->mutex_);
    reserve->ballast_bytes_ = std::min(AllocatedBytes(reserve->path_), reserve->whole_bytes_);
  }
  if (space.free < std::min(kRoomToStart, reserve->floor_bytes_)) reserve->GiveUpBallast();
  reserve->Tend();
  return reserve;
}

absl::Status DiskReserve::CheckFloor() const {
  ASSIGN_OR_RETURN(const Space space, probe_());
  if (space.free >= floor_bytes_) return absl::OkStatus();
  return WithReason(
      WithOperatorDetail(
          absl::ResourceExhaustedError("the control plane's disk is nearly full: until there is "
                                       "room, access is taken away, but none given"),
          path_ + ": " + std::to_string(space.free) + " bytes are free on its disk, the floor is " +
              std::to_string(floor_bytes_)),
      types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE);
}

bool DiskReserve::GiveUpBallast() {
  const absl::MutexLock lock(&mutex_);
  if (ballast_bytes_ == 0) return false;
  const uint64_t part = std::min(ballast_bytes_, std::max<uint64_t>(whole_bytes_ / kParts, 1));
  const int error = SetSize(path_, ballast_bytes_ - part);
  if (error != 0) {
    LogError("ballast_not_given_up", {{"file", path_}, {"error", std::strerror(error)}});
    return false;
  }
  ballast_bytes_ -= part;
  LogError("ballast_given_up", {{"bytes", part}, {"left", ballast_bytes_}});
  return true;
}

void DiskReserve::Tend() {
  const absl::StatusOr<Space> space = probe_();
  const absl::MutexLock lock(&mutex_);
  if (!space.ok()) return;  // who writes is told
  const bool was_low = std::exchange(is_low_, space->free < floor_bytes_);
  if (is_low_ && !was_low) {
    LogError("disk_low", {{"free_bytes", space->free},
                          {"floor_bytes", floor_bytes_},
                          {"ballast_bytes", ballast_bytes_},
                          {"file", path_}});
  } else if (was_low && !is_low_) {
    LogInfo("disk_has_room", {{"free_bytes", space->free}, {"floor_bytes", floor_bytes_}});
  }
  const uint64_t missing = whole_bytes_ - ballast_bytes_;
  if (missing != 0 && space->free >= floor_bytes_ + missing) MakeBallast();
}

void DiskReserve::MakeBallast() {
  const int error = SetSize(path_, whole_bytes_);
  ballast_bytes_ = std::min(AllocatedBytes(path_), whole_bytes_);
  if (error != 0) {
    LogError("ballast_not_made", {{"file", path_}, {"error", std::strerror(error)}});
  } else {
    LogInfo("ballast_made", {{"bytes", ballast_bytes_}});
  }
}

uint64_t DiskReserve::ballast_bytes() const {
  const absl::MutexLock lock(&mutex_);
  return ballast_bytes_;
}

double DiskReserve::free_bytes() const {
  const absl::StatusOr<Space> space = probe_();
  return space.ok() ? static_cast<double>(space->free) : -1;
}

}  // namespace sallyport::controlplane
