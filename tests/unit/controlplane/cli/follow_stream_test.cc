#include "controlplane/cli/follow_stream.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "sallyport/admin/v1/approval_service.grpc.pb.h"
#include "tests/fakes/captured_stderr.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::ApprovalService;
using admin::v1::WatchApprovalsRequest;
using admin::v1::WatchApprovalsResponse;

// Says what it has to say, and ends its stream with `end` once it is told to.
class Says final : public ApprovalService::Service {
 public:
  Says(std::vector<std::string> ids, grpc::Status end, bool ends_at_once)
      : ids_(std::move(ids)), end_(std::move(end)), is_over_(ends_at_once) {}

  grpc::Status WatchApprovals(grpc::ServerContext* context, const WatchApprovalsRequest*,
                              grpc::ServerWriter<WatchApprovalsResponse>* writer) override {
    ++streams;
    for (const std::string& id : ids_) {
      WatchApprovalsResponse response;
      response.mutable_approval()->set_id(id);
      writer->Write(response);
    }
    while (!is_over_ && !context->IsCancelled())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return end_;
  }
  void End() { is_over_ = true; }
  std::atomic<int> streams = 0;

 private:
  const std::vector<std::string> ids_;
  const grpc::Status end_;
  std::atomic<bool> is_over_;
};

struct Following {
  std::string address() const { return "unix://" + (dir / "admin.sock"); }
  std::unique_ptr<grpc::Server> Serve(Says& says) const {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + (dir / "admin.sock"), grpc::InsecureServerCredentials());
    builder.RegisterService(&says);
    return builder.BuildAndStart();
  }
  // Until `last` has come (7), or as the stream ended.
  int Run(const std::string& last, FollowTerms terms = {}) {
    terms.waits = Backoff(absl::Milliseconds(10), absl::Milliseconds(20));
    ClientOptions options;
    options.address = address();
    const auto take = [&](const WatchApprovalsResponse& response) -> std::optional<int> {
      heard.push_back(response.approval().id());
      return response.approval().id() == last ? std::optional(7) : std::nullopt;
    };
    return Follow<ApprovalService, WatchApprovalsRequest, WatchApprovalsResponse>(
        options, &ApprovalService::Stub::WatchApprovals, {}, terms, take);
  }

  TempDir dir;
  std::vector<std::string> heard;
};

const grpc::Status kStopping(grpc::StatusCode::UNAVAILABLE, "the control plane is stopping");

TEST_CASE_METHOD(Following, "a stream is read on when the control plane has been started again",
                 "[controlplane][cli]") {
  // Before it stops it may have had nothing to say.
  Says before(GENERATE(std::vector<std::string>{}, std::vector<std::string>{"apr_1"}), kStopping,
              /*ends_at_once=*/false);
  Says after({"apr_1", "apr_2"}, grpc::Status::OK, /*ends_at_once=*/false);
  auto server = Serve(before);
  CapturedStderr said;
  std::thread restart([&] {
    while (before.streams == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    before.End();
    server->Shutdown(std::chrono::system_clock::now());
    server.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    server = Serve(after);
  });
  const int code = Run("apr_2");
  restart.join();
  CHECK(code == 7);
  CHECK(heard.back() == "apr_2");
  const std::string text = said.Text();
  CHECK(text.find("The control plane is away") != std::string::npos);
  CHECK(text.find("The control plane is back") != std::string::npos);
}

TEST_CASE_METHOD(Following, "a control plane that was never reached is an error at once",
                 "[controlplane][cli]") {
  CapturedStderr said;
  CHECK(Run("apr_1") == 1);
  CHECK(said.Text().find("there is no such socket") != std::string::npos);
}

TEST_CASE_METHOD(Following, "nobody waits for what cannot come any more", "[controlplane][cli]") {
  CapturedStderr said;
  CHECK(Run("apr_1", {.was_reached = true, .until = absl::Now() + absl::Milliseconds(50)}) == 1);
  CHECK(said.Text().find("there is no such socket") != std::string::npos);
}

TEST_CASE_METHOD(Following, "a stream that ends for a reason of its own is not read again",
                 "[controlplane][cli]") {
  const bool ends_well = GENERATE(true, false);
  Says says({}, ends_well ? grpc::Status::OK : grpc::Status(grpc::StatusCode::NOT_FOUND, "gone"),
            /*ends_at_once=*/true);
  const auto server = Serve(says);
  CapturedStderr said;
  CHECK(Run("apr_1") == (ends_well ? 0 : 1));
  CHECK(says.streams == 1);
}

}  // namespace
}  // namespace sallyport::controlplane
